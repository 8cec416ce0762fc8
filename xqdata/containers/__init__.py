"""The empty container: register scans of it, estimate it, take it away."""

from xqdata.containers.empty import Container
from xqdata.containers.estimation import MINIMUM, Estimate, estimate
from xqdata.containers.grouping import Group, groups
from xqdata.containers.lengths import Masks
from xqdata.containers.lifting import Mask, foreground, without_container
from xqdata.containers.maps import attenuation
from xqdata.containers.run import masks

__all__ = [
    "MINIMUM",
    "Container",
    "Estimate",
    "Group",
    "Mask",
    "Masks",
    "attenuation",
    "estimate",
    "foreground",
    "groups",
    "masks",
    "without_container",
]
