"""`xqdata export`: datasets in the formats that other tools read."""

from xqdata.exports.request import Request
from xqdata.exports.run import FORMATS, Result, export

__all__ = ["FORMATS", "Request", "Result", "export"]
