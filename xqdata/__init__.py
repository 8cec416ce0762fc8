"""xqdata: raw X-ray scanner exports in, datasets that can be trusted out."""

from xqdata import processor

processor.settle()  # before anything loads OpenCV

__version__ = "0.1.0.dev0"
