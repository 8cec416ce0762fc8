"""`xqdata split`: parts that do not leak, with a certificate."""

from xqdata.splits.balance import Balance, balance
from xqdata.splits.blocks import Blocks, Crossing, cross
from xqdata.splits.check import Proof, TornError, prove
from xqdata.splits.listing import listed
from xqdata.splits.repaired import repair_of
from xqdata.splits.report import Certificate, Report
from xqdata.splits.request import Request, column_named, grown, parse_parts
from xqdata.splits.run import Result, memory_of, split
from xqdata.splits.state import Task

__all__ = [
    "Balance",
    "Blocks",
    "Certificate",
    "Crossing",
    "Proof",
    "Report",
    "Request",
    "Result",
    "Task",
    "TornError",
    "balance",
    "column_named",
    "cross",
    "grown",
    "listed",
    "memory_of",
    "parse_parts",
    "prove",
    "repair_of",
    "split",
]
