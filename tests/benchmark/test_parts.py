"""Networks, augmentation, ties and comparisons by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from xqdata_benchmark import place, predictions, recipe, shallow
from xqdata_benchmark.compare import compare
from xqdata_benchmark.options import Options
from xqdata_benchmark.recipe import Augment, Net
from xqdata_benchmark.run import Result

from benchmark.conftest import run
from xqdata import runs
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.report import plots

torch = pytest.importorskip("torch")
from xqdata_benchmark import augment, model, train  # noqa: E402


def maps(asked: Augment, top: bool, n: int = 64) -> object:
    return augment.drawn(asked, torch.full((n,), top), torch.Generator().manual_seed(0))


STILL = {"shift": 0.0, "scale": 0.0, "rotate": 0.0}


def test_nothing_asked_changes_nothing() -> None:
    still = Augment(mirror=False, quarter_turns="none", **STILL)
    pictures = torch.rand(64, 3, 9, 9)
    assert torch.allclose(augment.moved(pictures, maps(still, True)), pictures, atol=1e-6)


def test_side_views_are_mirrored_left_to_right_and_never_turned() -> None:
    pictures = torch.rand(1, 1, 9, 9).expand(64, 1, 9, 9)
    found = augment.moved(pictures, maps(Augment(**STILL), False))
    kinds = {bytes(np.round(one.numpy(), 3).astype(np.float32).tobytes()) for one in found}
    allowed = [pictures[0], pictures[0].flip(2)]
    assert kinds == {bytes(np.round(one.numpy(), 3).astype(np.float32).tobytes()) for one in allowed}


def test_top_views_are_turned_by_quarters_and_mirrored() -> None:
    pictures = torch.rand(1, 1, 9, 9).expand(256, 1, 9, 9)
    found = augment.moved(pictures, maps(Augment(**STILL), True, 256))
    turned = [torch.rot90(flipped, k, (1, 2)) for flipped in (pictures[0], pictures[0].flip(2)) for k in range(4)]
    for one in found:
        assert min(float((one - other).abs().max()) for other in turned) < 1e-4
    for other in turned:
        assert min(float((one - other).abs().max()) for one in found) < 1e-4


def test_what_comes_in_from_outside_is_air_and_values_are_never_exceeded() -> None:
    pictures = torch.full((64, 1, 16, 16), 0.7)
    found = augment.moved(pictures, maps(Augment(shift=0.3), True))
    assert float(found.max()) <= 0.7 + 1e-5
    assert float(found.min()) == 0.0


@pytest.mark.parametrize("name", ["compact", "resnet18", "convnext_tiny", "efficientnet_v2_s"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_network_takes_every_number_of_channels(name: str, channels: int) -> None:
    if name != "compact" and channels == 2 and name != "resnet18":
        pytest.skip("one of torchvision's is enough")
    made = model.build(Net(name=name), channels, 5).eval()
    logits, embedding = made.embedded(torch.rand(2, channels, 64, 64))
    assert logits.shape == (2, 5)
    assert embedding.shape[0] == 2
    assert torch.equal(made.head(embedding), logits)


def test_weights_of_another_architecture_are_one_line(tmp_path: Path) -> None:
    torch.save(model.build(Net(name="compact"), 3, 5).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="another architecture"):
        model.build(Net(name="resnet18", weights=str(tmp_path / "w.pth")), 3, 5)
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read as weights"):
        model.build(Net(name="resnet18", weights=str(tmp_path / "bad.pth")), 3, 5)


def test_weights_of_torchvision_and_of_other_classes_are_taken(tmp_path: Path) -> None:
    import torchvision

    theirs = torchvision.models.resnet18(weights=None)
    state = {n: v for n, v in theirs.state_dict().items() if not n.startswith("fc.")}
    torch.save(state, tmp_path / "resnet18.pth")
    made = model.build(Net(name="resnet18", weights=str(tmp_path / "resnet18.pth")), 3, 5)
    assert torch.equal(made.body.conv1.weight, theirs.conv1.weight)
    with pytest.raises(InputError, match="no such weights"):
        model.build(Net(name="resnet18", weights="NONSENSE"), 3, 5)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_of_weights_fits_scans_without_colour_too(tmp_path: Path, channels: int) -> None:
    import torchvision

    theirs = torchvision.models.resnet18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    made = model.build(Net(name="resnet18", weights=str(tmp_path / "resnet18.pth")), channels, 5)
    assert torch.equal(made.body.layer1[0].conv1.weight, theirs.layer1[0].conv1.weight)
    grey = torch.rand(1, 1, 64, 64)
    theirs.fc = torch.nn.Identity()
    expected = theirs.eval()(grey.expand(1, 3, 64, 64))
    assert torch.allclose(made.eval().embedded(grey.expand(1, channels, 64, 64))[1], expected, atol=1e-4)


def test_the_compact_network_has_no_weights_by_name() -> None:
    with pytest.raises(InputError, match="no weights of torchvision's"):
        model.build(Net(name="compact", weights="DEFAULT"), 3, 5)


def store_of(pixels: np.ndarray, weights: str = "") -> train.Store:
    n = len(pixels)
    asked = recipe.load("resnet18", [f"model.weights={weights}"] if weights else [])
    rows = np.arange(n // 2)
    return train.store(pixels, np.ones((n, 1), bool), np.zeros(n, bool), rows, asked, torch.device("cpu"))


def test_weights_of_imagenet_are_shown_brightness() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    held = store_of(pixels, "DEFAULT")
    shown = held.normal(held.batch(torch.arange(4), torch.device("cpu"))).permute(0, 2, 3, 1).numpy()
    expected = (pixels / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    assert np.allclose(shown, expected, atol=1e-4)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_normalisation_is_of_the_rows_of_training_alone(kind: type) -> None:
    top = np.iinfo(kind).max
    pixels = np.random.default_rng(0).integers(0, top, (10, 8, 8, 2), endpoint=True).astype(kind)
    held = store_of(pixels)
    dark = 1 - pixels[:5] / top
    assert held.mean.flatten().tolist() == pytest.approx(dark.mean((0, 1, 2)), rel=1e-4)
    assert held.deviation.flatten().tolist() == pytest.approx(dark.std((0, 1, 2)), rel=1e-4)


def test_names_of_classes_may_bear_the_sign_that_joins_them(tmp_path: Path) -> None:
    names = ("a", "salt+pepper", "b", "c+d", "c")
    truth = np.array([[1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 1]], bool)
    said = truth.astype(np.float64)
    words = np.array(list("wxyz"), object)
    one = predictions.Predictions(list("wxyz"), words, words, words, truth, said, names, True)
    pq.write_table(one.table, tmp_path / runs.PREDICTIONS)
    again = predictions.read(runs.Run(tmp_path, {"task": "multilabel", "classes": names}))
    assert (again.truth == truth).all()


def test_one_class_for_every_image_needs_no_model() -> None:
    asked = recipe.load("linear", ["task=multilabel"])
    found = shallow.predict(np.eye(6, dtype=np.float32), np.ones((6, 1), bool), np.arange(4), np.arange(4, 6), asked)
    assert found.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("sets", [(), ("train.label_smoothing=0.1",), ("task=multilabel",)])
def test_shares_of_a_batch_add_up_to_its_loss(sets: tuple[str, ...]) -> None:
    asked = recipe.load("quick", ["train.class_weights=balanced", *sets])
    logits, truth = torch.randn(7, 3), torch.eye(3)[torch.tensor([0, 0, 0, 0, 1, 1, 2])]
    weights = train._class_weights(truth, asked.train)
    whole = train._loss(logits, truth, weights, asked)
    parts = [train._loss(logits[k::2], truth[k::2], weights, asked) * train._weight(truth[k::2], weights, asked)
             for k in range(2)]  # fmt: skip
    assert float(sum(parts) / train._weight(truth, weights, asked)) == pytest.approx(float(whole), rel=1e-5)


def test_dollar_signs_in_names_are_no_formulas(tmp_path: Path) -> None:
    plots.confusion(np.eye(2, dtype=np.int64), ["a$_$", "$^$"], "$^$", tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").exists()


def on_terminal(made: Path, width: int) -> str:
    """What `xqdata compare` shows on a terminal of `width` columns."""
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": str(width), "TERM": "xterm"}
    return run(made, "compare", "self", "self-quick", env=os.environ | terminal).stdout


def test_a_run_compared_with_itself_differs_by_nothing(go: Callable[..., Result], made: Path) -> None:
    knn = go("knn", run="self").run
    quick = go(run="self-quick").run
    found = compare([knn, knn, quick])
    assert found.rows[1]["accuracy_difference"]["value"] == 0
    assert (found.rows[1]["only_this"], found.rows[1]["only_first"]) == (0, 0)
    right = {run.name: run.metrics()["test"]["accuracy"]["value"] for run in (knn, quick)}
    difference = found.rows[2]["accuracy_difference"]["value"]
    assert difference == pytest.approx(right[quick.name] - right[knn.name])
    n = found.images
    assert difference * n == pytest.approx(found.rows[2]["only_this"] - found.rows[2]["only_first"])
    shown = run(made, "compare", "self", "self-quick").stdout
    assert "self-quick: accuracy" in shown
    assert all("self-quick" in said for said in (on_terminal(made, 50), on_terminal(made, 240)))
    assert "only this is right" in on_terminal(made, 240)
    assert "only this is right" not in on_terminal(made, 50)
    with pytest.raises(InputError, match="compares with nothing"):
        compare([knn])
    with pytest.raises(InputError, match="no such run"):
        runs.read(Project(made), "nowhere")


def test_knn_runs_without_torch(made: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')", encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    run(made, "benchmark", "--recipe", "knn", "--run", "no-torch", env=env)
    refused = run(made, "benchmark", "--recipe", "quick", "--run", "never", code=1, env=env).stderr
    assert "pip install '/path/to/xqdata[benchmark]'" in refused
    assert refused.count("\n") == 1


def test_a_run_that_finds_no_place_is_an_error_of_the_users_side(tmp_path: Path) -> None:
    options = Options("default", "knn", recipe.load("knn"), run="first")
    with pytest.raises(InputError, match=r"gone/runs/first: cannot be made \(No such file or directory\); free some"):
        place._new(tmp_path / "gone" / "runs", options)
