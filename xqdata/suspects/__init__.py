"""Which labels are probably wrong: what a model says that never saw the image's family, and what other labels say."""

from xqdata.suspects.predicted import NO_MODEL
from xqdata.suspects.run import Options, Result, Suspect, last_list, suspects, write_csv

__all__ = ["NO_MODEL", "Options", "Result", "Suspect", "last_list", "suspects", "write_csv"]
