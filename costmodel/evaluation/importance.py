"""Which groups of columns a model's trees rest on, read from the trees of its bundle.

Bundles keep of a tree what prediction reads: splits and leaf values, no gains and no counts. So a split's weight is how
much the answer moves when it goes the other way: half the difference between the mean leaf below its two sides, times
``2 ** -depth``, the chance of passing it if each side is as likely as the other. A group's share is its part of the sum
over all splits of all trees. Closed forms and kernels that stand beside the trees have no such share: see the card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from costmodel.predictor import Predictor
from costmodel.regressors.base import read_json
from costmodel.regressors.native_lightgbm import read_text
from featurizers.core import Column, Featurizer

Array = npt.NDArray[np.float64]
OTHER = "closed forms"
"""Columns that the learner adds to the featurizer's: values of the physics that it corrects."""
_TREES = "*.txt.zst"
_SPREAD = "spread.txt.zst"
_FIELD = re.compile(r"^(split_feature|left_child|right_child|leaf_value|Tree)=(.*)$", re.MULTILINE)


class GroupShare(msgspec.Struct, frozen=True):
    """Share of one group of columns, 0 to 1, and its weightiest columns with theirs."""

    group: str
    share: float
    columns: dict[str, float]


class Importance(msgspec.Struct, frozen=True):
    """One target on one device: groups by falling share; none where the answer comes from no trees."""

    device: str
    target: str
    trees: int
    groups: tuple[GroupShare, ...]


def importance_of(predictor: Predictor, device: str, target: str) -> Importance:
    """Shares of the model that answers `target` on `device`. Without a bundle or trees there are no groups."""
    place = None if predictor.folder is None else _place(predictor.folder, device, target)
    if place is None:
        return Importance(device, target, 0, ())
    trees, weights = _weights(place)
    return Importance(device, target, trees, tuple(_grouped(_columns(predictor.featurizer, len(weights)), weights)))


def _place(folder: Path, device: str, target: str) -> Path | None:
    """The folder of one model: as the bundle tells it, else by the target's name."""
    told = read_json(folder / "bundle.json").get("models", {}).get(f"{device}|{target}")
    found = [folder / told] if told else sorted(folder.glob(f"*/{target}"))
    return next((place for place in found if place.is_dir()), None)


def _columns(featurizer: Featurizer[Any], count: int) -> Sequence[Column]:
    """The columns of a matrix that is `count` wide: a part's, or a subject's and what the learner adds to them."""
    if count == len(featurizer.part_columns):
        return featurizer.part_columns
    own = list(featurizer.columns)[:count]
    return own + [Column(f"{OTHER} {index + 1}", "1", OTHER) for index in range(count - len(own))]


def _grouped(columns: Sequence[Column], weights: Array) -> Iterator[GroupShare]:
    total = max(float(weights.sum()), 1e-300)
    groups: dict[str, dict[str, float]] = {}
    for column, weight in zip(columns, weights.tolist(), strict=True):
        if weight > 0:
            groups.setdefault(column.group, {})[column.name] = round(weight / total, 5)
    for group, shares in sorted(groups.items(), key=lambda pair: -sum(pair[1].values())):
        first = dict(sorted(shares.items(), key=lambda pair: -pair[1])[:5])
        yield GroupShare(group, round(sum(shares.values()), 5), first)


@lru_cache(maxsize=256)
def _weights(place: Path) -> tuple[int, Array]:
    """Number of trees below `place`, and the sum of their splits' weights by column."""
    texts = [read_text(path) for path in sorted(place.rglob(_TREES)) if path.name != _SPREAD]
    width = max((int(re.findall(r"^max_feature_idx=(\d+)$", text, re.MULTILINE)[0]) + 1 for text in texts), default=0)
    weights, trees = np.zeros(width), 0
    for text in texts:
        for split, left, right, leaf in _trees(text):
            weights += np.bincount(split, _effects(left, right, leaf), minlength=width)
            trees += 1
    return trees, weights


def _trees(text: str) -> Iterator[tuple[npt.NDArray[np.int64], list[int], list[int], list[float]]]:
    """Of each tree with a split: columns of its splits, their children (below zero: ``~leaf``), its leaves' values."""
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(text + "\nTree=end"):
        if name == "Tree" and found.get("split_feature"):
            left, right = ([int(child) for child in found[side].split()] for side in ("left_child", "right_child"))
            leaves = [float(leaf) for leaf in found["leaf_value"].split()]
            yield np.array(found["split_feature"].split(), dtype=np.int64), left, right, leaves
        if name == "Tree":
            found.clear()
        else:
            found[name] = value


def _effects(left: list[int], right: list[int], leaf: list[float]) -> Array:
    """Weight of each split (s,). A child's number is above its parent's: means are made from the last to the first."""
    count = len(left)
    mean, effect, chance = [0.0] * count, np.empty(count), [1.0] * count
    for node in range(count):
        for child in (left[node], right[node]):
            if child >= 0:
                chance[child] = chance[node] / 2
    for node in range(count - 1, -1, -1):
        low, high = (mean[child] if child >= 0 else leaf[~child] for child in (left[node], right[node]))
        mean[node] = (low + high) / 2
        effect[node] = chance[node] * abs(high - low) / 2
    return effect
