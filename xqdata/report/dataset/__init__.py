"""The page of `xqdata report`: what a dataset is, its health, its splits, its benchmarks, and where it comes from."""

from xqdata.report.dataset.card import FILE as CARD
from xqdata.report.dataset.card import Card, draft, load
from xqdata.report.dataset.page import Made, write

__all__ = ["CARD", "Card", "Made", "draft", "load", "write"]
