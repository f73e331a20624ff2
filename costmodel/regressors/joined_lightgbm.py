"""Boosted trees of many targets in one LightGBM model: a row is read once, and not once per target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from costmodel.regressors.native_lightgbm import NativeBooster

_TREE = re.compile(r"^Tree=\d+\n", re.MULTILINE)
_END = "end of trees\n"
_LEFT_OUT = re.compile(r"^(objective|tree_sizes)=?.*\n", re.MULTILINE)
"""Raw scores need no objective, and without their sizes trees are read one after the other."""
_OUTPUTS = re.compile(r"^(num_class|num_tree_per_iteration)=1$", re.MULTILINE)


def joined_booster(boosters: Sequence[NativeBooster]) -> NativeBooster:
    """One booster whose output t is that of ``boosters[t]``, as LightGBM writes a model of several classes.

    Raises ValueError where they have not the same columns and number of trees, or there are not two at least.
    """
    if len(boosters) < 2:
        raise ValueError(f"Two boosters at least can be joined. Got {len(boosters)}.")
    heads, forests = zip(*(_divided(booster.model_text) for booster in boosters), strict=True)
    counts = {(len(forest), booster.columns) for forest, booster in zip(forests, boosters, strict=True)}
    if len(counts) != 1:
        raise ValueError(f"Boosters of equal trees and columns can be joined. Got (trees, columns) {sorted(counts)}.")
    head = _OUTPUTS.sub(rf"\1={len(boosters)}", _LEFT_OUT.sub("", heads[0]))
    trees = chain.from_iterable(zip(*forests, strict=True))
    return NativeBooster("".join([head, *(f"Tree={i}\n{tree}" for i, tree in enumerate(trees)), _END]))


def _divided(text: str) -> tuple[str, list[str]]:
    """What stands before the first tree, and the trees without their numbers."""
    head, *trees = _TREE.split(text[: text.index(_END)])
    return head, trees
