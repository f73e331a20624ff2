"""A fifth kind, small enough to read: a box costs its volume, in parts of one layer each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.corpus import Corpus, Labels
from costmodel.kinds import Kind
from costmodel.prediction import Target
from costmodel.predictor import Device
from featurizers.core import Column, Features, Featurizer, Parts, Raw
from featurizers.errors import InputError
from featurizers.graphs import chained

Box = tuple[int, int, int]
NS_PER_UNIT = {"slow": 5.0, "fast": 1.0}


class BoxFeaturizer(Featurizer[Box]):
    kind = "box"
    version = "1"
    columns = (Column("volume", "1", "size"), Column("layers", "1", "size"))
    part_columns = (
        Column("op_class", "1", "identity", ("layer",)),
        Column("flops", "1", "size"),
        Column("bytes_in", "B", "size"),
        Column("bytes_weights", "B", "size"),
        Column("bytes_out", "B", "size"),
    )

    def parse(self, raw: Raw) -> Box:
        sides = raw.get("sides")
        if not isinstance(sides, list) or len(sides) != 3:
            raise InputError("'sides'", "must be a list of three numbers", sides)
        if not all(isinstance(side, int) and 0 < side <= 1000 for side in sides):
            raise InputError("'sides'", "must lie between 1 and 1000", sides, where="$.sides")
        return sides[0], sides[1], sides[2]

    def features(
        self, subjects: Sequence[Box], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        vectors = np.array([[a * b * c, c] for a, b, c in subjects], dtype=np.float32)
        layers = [(a, b) for a, b, c in subjects for _ in range(c if names else 1)]
        matrix, index = np.unique(np.array(layers), axis=0, return_inverse=True)
        area = (matrix[:, 0] * matrix[:, 1]).astype(np.float32)
        zero = np.zeros_like(area)
        rows = np.stack([zero, area, 4 * area, zero, 4 * area], axis=1)
        counts = [1.0] * len(layers) if names else [float(c) for _, _, c in subjects]
        per_subject = [c if names else 1 for _, _, c in subjects]
        owner = np.repeat(np.arange(len(subjects)), per_subject)
        labels = tuple((f"layer{i}",) for _, _, c in subjects for i in range(c)) if names else ()
        parts = Parts(rows, owner, index.reshape(-1), np.array(counts, dtype=np.float32), labels)
        found = Features(vectors, self.columns, parts, self.part_columns)
        return chained(found, "op_class") if "graphs" in extras else found

    def warm(self, profiles: Sequence[str]) -> None:
        pass

    def match_parts(
        self, subject: Box, measured: Sequence[Mapping[str, Any]], *, profile: str = ""
    ) -> list[int | None]:
        known = {f"layer{i}": i for i in range(subject[2])}
        return [known.get(row["name"]) for row in measured]

    def part_ops(self, features: Features) -> list[str]:
        assert features.parts is not None
        return ["layer"] * len(features.parts.matrix)


def box_corpus(folder: Path) -> Corpus:
    """300 boxes of six families of shape; times with 2% noise."""
    rng = np.random.default_rng(0)
    boxes = [[int(side) for side in np.exp(rng.uniform(0.7, 3.5, 3)).round() + 1] for _ in range(300)]
    family = np.array([f"family{i % 6}" for i in range(300)])
    split = np.array(
        [("train", "train", "train", "validation", "test_seen")[(i // 6) % 5] for i in range(300)], dtype="<U11"
    )
    split[family == "family5"] = "test_unseen"
    volume = np.array([float(np.prod(box)) for box in boxes])
    labels = []
    for name, rate in NS_PER_UNIT.items():
        time = (volume * rate + 50.0) * np.exp(rng.normal(0, 0.02, 300))
        device = Device(name, "", ("latency_ns",), {"threads": 1})
        labels.append(Labels(device, Target("latency_ns", "ns"), np.arange(300), time, np.full(300, 0.02)))
    raws: list[dict[str, Any]] = [{"sides": box} for box in boxes]
    ids = tuple(f"box{i}" for i in range(300))
    return Corpus("boxes", "box", raws, ids, family, split, tuple(labels), "0" * 64, "Apache-2.0")


BOX = Kind("box", BoxFeaturizer, corpus=box_corpus, dataset="boxes", learner="roofline", baselines=("constant",))
