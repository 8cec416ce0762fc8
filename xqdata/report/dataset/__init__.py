"""The page of `xqdata report`: what a dataset is, its health, its splits, its benchmarks, and where it comes from."""

from xqdata.report.dataset.page import Made, write

__all__ = ["Made", "write"]
