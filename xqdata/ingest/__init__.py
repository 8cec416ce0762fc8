"""Ingest: walk raw folders, measure files, describe them by their readers, and write the tables."""

from xqdata.ingest.draft import draft
from xqdata.ingest.roots import Root, resolve
from xqdata.ingest.run import Account, Options, Result, ingest, told_options

__all__ = ["Account", "Options", "Result", "Root", "draft", "ingest", "resolve", "told_options"]
