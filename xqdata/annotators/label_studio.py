"""Label Studio: choices on images, in its JSON.

Sources: https://labelstud.io/guide/task_format (tasks and answers), https://labelstud.io/guide/predictions (what a task
is shown with), https://labelstud.io/tags/choices (the labelling interface).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from xqdata.annotators.answer import FLAGS, Answer, Answers, in_xml, utc
from xqdata.exports.format import Export, Exported, Format
from xqdata.exports.pictures import Place
from xqdata.exports.selection import Selection
from xqdata.exports.table import PICTURES

INTERFACE = "interface.xml"
TASKS = "tasks.json"
LABELLED = "tasks_labelled.json"
_OBJECT, _FLAG, _IMAGE = "object", "flag", "image"


class LabelStudio:
    """The tool."""

    def tasks(self, classes: Sequence[str]) -> Format:
        """images/, the labelling interface, and tasks: without labels, and with the present ones as predictions."""
        return _Tasks(classes)

    def read(self, data: bytes) -> Answers:
        """From the export JSON. Predictions, skipped tasks and drafts are no answers."""
        try:
            tasks = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is no JSON ({error})") from error
        if not isinstance(tasks, list) or not all(
            isinstance(t, dict) and isinstance(t.get("data"), dict) for t in tasks
        ):
            raise ValueError("is no list of tasks: export it as JSON, not as JSON-MIN or CSV")
        if tasks and not any("annotations" in task for task in tasks):
            raise ValueError("its tasks have no annotations: export it as JSON after somebody has answered")
        found, silent = [], 0
        for task in tasks:
            given = list(filter(None, (_answer(task, one) for one in _dicts(task.get("annotations")))))
            found += given
            silent += not given
        return Answers(found, silent)


def _answer(task: dict[str, Any], annotation: dict[str, Any]) -> Answer | None:
    """None where it was cancelled, or nothing was chosen."""
    if annotation.get("was_cancelled"):
        return None
    names: list[str] = []
    for result in _dicts(annotation.get("result")):
        value = result.get("value")
        if result.get("type") == "choices" and isinstance(value, dict) and isinstance(value.get("choices"), list):
            names += map(str, value["choices"])
    if not names:
        return None
    at = utc(annotation.get("updated_at")) or utc(annotation.get("created_at"))
    return Answer(_image(task["data"]), tuple(names), _person(annotation.get("completed_by")), at)


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _image(data: dict[str, Any]) -> str:
    """The image_id, where the task bears one, else what it calls the picture."""
    return str(data.get("image_id") or next((v for v in data.values() if isinstance(v, str)), ""))


def _person(told: Any) -> str | None:
    """Older exports give a number, newer ones may give a person."""
    if isinstance(told, dict):
        return str(told.get("email") or told.get("username") or "") or None
    return None if told is None else f"label-studio user {told}"


class _Tasks:
    name = "label-studio"
    kinds: tuple[str, ...] = ("PNG", "JPEG", "BMP")
    deep = False
    usage = (
        "a project in Label Studio, with the interface of {folder}/interface.xml and the tasks of {folder}/tasks.json"
    )

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes

    def places(self, selection: Selection) -> list[Place]:
        """All in one folder."""
        return [Place(f"{PICTURES}/{item.image_id}") for item in selection.items]

    def finish(self, export: Export) -> None:
        """Write the interface and the tasks."""
        export.save(INTERFACE, _interface(self._classes))
        export.save(TASKS, _json([_task(image) for image in export.images]))
        export.save(LABELLED, _json([_task(image) | _proposed(image) for image in export.images]))


def _interface(classes: Sequence[str]) -> str:
    flags = [name for name in FLAGS if name not in classes]
    lines = ["<View>", f'  <Image name="{_IMAGE}" value="${_IMAGE}"/>']
    for control, values in ((_OBJECT, classes), (_FLAG, flags)):
        lines.append(f'  <Choices name="{control}" toName="{_IMAGE}" choice="multiple" showInline="true">')
        lines += [f"    <Choice value={quoteattr(in_xml(value))}/>" for value in values]
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])


def _task(image: Exported) -> dict[str, Any]:
    # Of files below its document root, where the folder `images` is to lie.
    return {"data": {_IMAGE: f"/data/local-files/?d={quote(image.written.file)}", "image_id": image.item.image_id}}


def _proposed(image: Exported) -> dict[str, Any]:
    if not image.item.objects:
        return {}
    result = {"id": image.item.image_id, "type": "choices", "from_name": _OBJECT, "to_name": _IMAGE,
              "value": {"choices": image.item.objects}}  # fmt: skip
    return {"predictions": [{"model_version": "xqdata", "result": [result]}]}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
