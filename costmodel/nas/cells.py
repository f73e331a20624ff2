"""NAS-Bench-201 cells as six choices, the form in which every search framework can vary them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featurizers.core import Raw
from featurizers.network.nasbench201 import EDGES, OPERATIONS

CHOICES: dict[str, tuple[str, ...]] = {f"edge_{source}_{target}": OPERATIONS for source, target in EDGES}
"""Name of a choice -> what it may be."""


def cell(choices: Mapping[str, Any]) -> Raw:
    """The raw input of six choices; other keys are left alone."""
    nodes: dict[int, list[str]] = {}
    for source, target in EDGES:
        nodes.setdefault(target, []).append(f"{choices[f'edge_{source}_{target}']}~{source}")
    return {"nasbench201": "+".join(f"|{'|'.join(edges)}|" for edges in nodes.values())}
