"""Architectures of three NAS spaces as numbers, by the thousand: what each executes, summed in numpy.

`NetworkGraph` describes one network in full; a search asks about thousands of candidates that differ in a few choices.
Here a space is a table of units (what one choice executes, kernel by kernel), an architecture is how many of each unit
it holds, and every physics column is one matrix product. A module per space: `nas_cells`, `nas_fbnet`, `nas_ofa`.
"""

from __future__ import annotations

from featurizers.errors import UnknownNameError
from featurizers.network.nas_base import Array, Composition, Launch, OpIndices, Physics, Space
from featurizers.network.nas_cells import NASBENCH201, NASBENCH201_EDGES, NASBENCH201_OPS, nasbench201_reach
from featurizers.network.nas_fbnet import FBNET, FBNET_OPS, FBNET_POSITIONS
from featurizers.network.nas_ofa import (
    OFA,
    OFA_DEPTHS,
    OFA_EXPANSIONS,
    OFA_KERNELS,
    OFA_RESOLUTIONS,
    OFA_SLOTS,
    OFA_UNITS,
)

__all__ = [
    "FBNET_OPS", "FBNET_POSITIONS", "NASBENCH201_EDGES", "NASBENCH201_OPS", "OFA_DEPTHS", "OFA_EXPANSIONS",
    "OFA_KERNELS", "OFA_RESOLUTIONS", "OFA_SLOTS", "OFA_UNITS", "SPACES", "Array", "Composition", "Launch", "OpIndices",
    "Physics", "Space", "nasbench201_reach", "space_of",
]  # fmt: skip

SPACES: dict[str, Space] = {space.name: space for space in (NASBENCH201, FBNET, OFA)}


def space_of(name: str) -> Space:
    """A space by name. Raises UnknownNameError with the known ones."""
    if name not in SPACES:
        raise UnknownNameError("NAS space", name, SPACES)
    return SPACES[name]
