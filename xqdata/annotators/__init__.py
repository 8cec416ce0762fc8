"""Annotation tools of others: tasks for them, the answers that come back, and how far two people agree."""

from xqdata.annotators.agreement import Agreement, Disagreement, agreement, write_queue
from xqdata.annotators.take import Taken, take
from xqdata.annotators.tasks import TOOLS, export_tasks

__all__ = ["TOOLS", "Agreement", "Disagreement", "Taken", "agreement", "export_tasks", "take", "write_queue"]
