"""The inner loops of the join: compiled where numba is installed, else in NumPy."""

from xqdata.kernels.compiled import AVAILABLE

if AVAILABLE:
    from xqdata.dedup.compiled import across, census, distances, hits, sort_by_key, turns
else:
    from xqdata.dedup.plain import across, census, distances, hits, sort_by_key, turns

__all__ = ["across", "census", "distances", "hits", "sort_by_key", "turns"]
