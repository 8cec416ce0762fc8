"""Which labels are probably wrong: what a model says that never saw the image's family, and what other labels say."""

from xqdata.suspects.run import Options, Result, Suspect, suspects, write_csv

__all__ = ["Options", "Result", "Suspect", "suspects", "write_csv"]
