"""`xqdata audit`: what crosses the parts of a split, and what else makes its score untrue."""

from xqdata.audit.finding import Evidence, Finding
from xqdata.audit.run import MEMORY, Audit, Facts, Options, audit

__all__ = ["MEMORY", "Audit", "Evidence", "Facts", "Finding", "Options", "audit"]
