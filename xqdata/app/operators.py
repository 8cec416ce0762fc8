"""xqdata's operators in the App: a form, the selected pictures, and what a person says of them.

They run in the App's server. What they put down is brought into the label log by `xqdata label pull`.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from xqdata import config, taxonomy
from xqdata.app.load import KEY
from xqdata.app.say import Document, chosen, say, say_of_pair
from xqdata.taxonomy import Taxonomy

_MOST = 10_000  # names that a list offers; the App draws them all


class _Operator(foo.Operator):  # type: ignore[misc]
    """What all of them share: the pictures, the reason, and who says it."""

    name = label = icon = description = ""
    place = types.Places.SAMPLES_GRID_SECONDARY_ACTIONS
    pictures = "Select pictures, or open one, and call this again."

    @property
    def config(self) -> foo.OperatorConfig:
        """How the operator browser lists it."""
        return foo.OperatorConfig(
            name=self.name, label=self.label, icon=self.icon, description=self.description, dynamic=True
        )

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """A button among the grid's actions."""
        return types.Placement(self.place, types.Button(label=self.label, icon=self.icon, prompt=True))

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form."""
        inputs = types.Object()
        view = types.PromptView(label=self.label, submit_button_label="Say so")
        on = _pictures(ctx)
        if not self._enough(on):
            inputs.view("none", types.Warning(label="No pictures", description=self.pictures), invalid=True)
            return types.Property(inputs, view=view)
        grouped = ctx.dataset.media_type == "group"
        inputs.md(self._told(on, grouped and not self._of_pictures), name="on")
        self.ask(ctx, inputs)
        if grouped and not self._of_pictures:
            label = "All views and energies of the scan"
            inputs.bool("whole_scans", default=True, label=label, view=types.CheckboxView())
        inputs.str("why", label="Reason", description="In your words; may stay empty")
        inputs.str("by", label="Who says it", default=getpass.getuser(), required=True)
        return types.Property(inputs, view=view)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Put it down, and show it."""
        told = ctx.params
        on = _pictures(ctx, bool(told.get("whole_scans")))
        if not self._enough(on):
            raise ValueError(self.pictures)
        by, why = (told.get("by") or "").strip() or getpass.getuser(), (told.get("why") or "").strip() or None
        self.put(ctx, on, by, why)
        ctx.ops.reload_dataset()
        ctx.ops.notify(f"{self.label}: {_counted(len(on))}. Bring it home: xqdata label pull", variant="success")
        return {}

    _of_pictures = False  # True: of the pictures themselves, not of what was scanned

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for what is said, where it is not the operator itself."""

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down what is said."""
        raise NotImplementedError

    def _enough(self, on: Sequence[Document]) -> bool:
        return bool(on)

    def _told(self, on: Sequence[Document], scans: bool) -> str:
        shown = sorted({_labelled(one) for one in on})
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        return f"**{_counted(len(on), 'scan' if scans else 'picture')}**, labelled {', '.join(shown[:5])}{more}"


class SetObject(_Operator):
    """What was scanned: one object, or several."""

    name, label, icon = "set_object", "Set object", "category"
    description = "Say what the selected pictures show"

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Names, of the taxonomy or free."""
        known = _taxonomy(ctx)
        names = [*known.objects, *_used(ctx, known.objects, "object.label", "objects.classifications.label")]
        inputs.list("objects", types.String(), required=True, label="Object", view=_offer(names),
                    description="What the pictures show: one name, or several where several things lie in the "
                    "scan. A name that is not in the list is kept as you write it.")  # fmt: skip

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down the object, or the objects."""
        known = _taxonomy(ctx)
        asked = [name.strip() for name in ctx.params["objects"] if name.strip()]
        names = list(dict.fromkeys(known.find_object(name) or name for name in asked))
        if not names:
            raise ValueError("Name an object.")
        say(ctx.dataset, on, "object", names[0] if len(names) == 1 else names, by, why)


class SetScanType(_Operator):
    """How it was presented to the scanner."""

    name, label, icon = "set_scan_type", "Set scan type", "shopping_basket"
    description = "Say how what the selected pictures show was presented to the scanner"

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """A name, of the taxonomy or free."""
        known = _taxonomy(ctx)
        names = [*known.scan_types, *_used(ctx, known.scan_types, "scan_type.label")]
        inputs.str("scan_type", required=True, label="Scan type", view=_offer(names),
                   description="A name that is not in the list is kept as you write it.")  # fmt: skip

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down the scan type."""
        name = ctx.params["scan_type"].strip()
        if not name:
            raise ValueError("Name a scan type.")
        say(ctx.dataset, on, "scan_type", _taxonomy(ctx).find_scan_type(name) or name, by, why)


class SetSpecimen(_Operator):
    """Which physical object it was."""

    name, label, icon = "set_specimen", "Set specimen", "fingerprint"
    description = "Say which physical objects the selected pictures show; scans of one specimen stay in one part"

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Names, of those in use or free."""
        view = _offer(_used(ctx, (), "specimens"))
        inputs.list("specimens", types.String(), required=True, label="Specimen", view=view,
                    description="The physical object, as your laboratory calls it; all of them.")  # fmt: skip

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down the specimens."""
        names = sorted({name.strip() for name in ctx.params["specimens"] if name.strip()})
        if not names:
            raise ValueError("Name a specimen.")
        say(ctx.dataset, on, "specimens", names, by, why)


class Reject(_Operator):
    """Nobody is to use it."""

    name, label, icon, _of_pictures = "reject", "Reject", "block", True
    description = "Say that no later step is to use the selected pictures; the files stay"

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down that they are rejected."""
        say(ctx.dataset, on, "reject", True, by, why)


class SecondLook(_Operator):
    """Somebody else is to look."""

    name, label, icon, _of_pictures = "second_look", "Needs a second look", "visibility", True
    description = "Ask somebody else to judge the selected pictures: xqdata label suspects lists them"

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down that somebody is to look again."""
        say(ctx.dataset, on, "second_look", True, by, why)


class _Pair(_Operator):
    """Of two pictures."""

    _of_pictures = True
    pictures = "Select exactly two pictures, and call this again."

    def put(self, ctx: Any, on: Sequence[Document], by: str, why: str | None) -> None:
        """Put down what the two are."""
        say_of_pair(ctx.dataset, on, self.name, by, why)

    def _enough(self, on: Sequence[Document]) -> bool:
        return len(on) == 2

    def _told(self, on: Sequence[Document], scans: bool) -> str:
        return " and ".join(f"`{one.get('path') or one['image_id']}`" for one in on)


class Same(_Pair):
    """Copies of one picture."""

    name, label, icon = "same", "Same picture", "link"
    description = "Say that two pictures are copies of one: the next xqdata dedup takes your word"


class Different(_Pair):
    """No copies of each other."""

    name, label, icon = "different", "Different pictures", "link_off"
    description = "Say that two pictures are no copies of each other: the next xqdata dedup takes your word"


def register(plugin: Any) -> None:
    """Called by FiftyOne when it loads the plug-in."""
    for each in (SetObject, SetScanType, SetSpecimen, Reject, Same, Different, SecondLook):
        plugin.register(each)


def _pictures(ctx: Any, whole_scans: bool = False) -> list[Document]:
    """The selected samples, else the one that is open; none in a dataset that is not xqdata's."""
    if ctx.dataset is None or KEY not in ctx.dataset.info:
        return []
    return chosen(ctx.dataset, ctx.selected or [ctx.current_sample] * bool(ctx.current_sample), whole_scans)


def _taxonomy(ctx: Any) -> Taxonomy:
    """The one of the project that the dataset is of."""
    folder = Path(ctx.dataset.info[KEY]["project"])
    path = config.load(folder).ingest.taxonomy
    return taxonomy.load(folder / path if path else None)


def _used(ctx: Any, known: Iterable[str], *fields: str) -> list[str]:
    """What stands in the dataset and is not known."""
    every = {name for field in fields for name in ctx.dataset._sample_collection.distinct(field) if name}
    return sorted(every - set(known))[:_MOST]


def _offer(names: Iterable[str]) -> types.AutocompleteView:
    view = types.AutocompleteView(allow_user_input=True, allow_duplicates=False)
    for name in names:
        view.add_choice(name, label=name)
    return view


def _labelled(one: Document) -> str:
    several = [each["label"] for each in (one.get("objects") or {}).get("classifications", ())]
    return str((one.get("object") or {}).get("label") or " + ".join(several) or "unknown")


def _counted(number: int, what: str = "picture") -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
