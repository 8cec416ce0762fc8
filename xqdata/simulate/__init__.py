"""A scanner to practise on: dual-energy exports of quarantine objects, with planted faults and known truth."""

from xqdata.simulate.check import Check, check
from xqdata.simulate.run import Result, simulate
from xqdata.simulate.settings import PRESETS, Rates, Settings

__all__ = ["PRESETS", "Check", "Rates", "Result", "Settings", "check", "simulate"]
