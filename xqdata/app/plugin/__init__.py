"""The folder that FiftyOne finds as a plug-in. It is loaded from here by its path, so all else is imported by name."""

from xqdata.app.operators import register

__all__ = ["register"]
