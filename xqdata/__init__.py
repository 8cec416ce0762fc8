"""xqdata: raw X-ray scanner exports in, datasets that can be trusted out."""

__version__ = "0.1.0.dev0"
