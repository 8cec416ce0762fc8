"""`xqdata label export`: images out, as tasks for an annotation tool."""

from __future__ import annotations

from collections.abc import Mapping

from xqdata import labels, manifest
from xqdata.annotators.answer import Tool
from xqdata.annotators.cvat import Cvat
from xqdata.annotators.label_studio import LabelStudio
from xqdata.exports import Request, Result, export
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

TOOLS: Mapping[str, Tool] = {"cvat": Cvat(), "label-studio": LabelStudio()}


def export_tasks(project: Project, taxonomy: Taxonomy, request: Request) -> Result:
    """Write the images that `request` asks for, as tasks for the tool that its format names.

    Every object of the taxonomy is offered, and those that the labels name besides. Raises what `export` raises.
    """
    log = labels.log(project)
    columns = list(dict.fromkeys(["objects", *labels.needed(log)]))
    images = labels.effective(manifest.read(project, "images", columns), log, taxonomy)
    classes = [*taxonomy.objects, *sorted(labels.named(images) - set(taxonomy.objects))]
    return export(project, taxonomy, request, TOOLS[request.format].tasks(classes))
