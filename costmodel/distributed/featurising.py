"""Features by the workers of a cluster: what they send back is numbers, since subjects may be no Python objects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costmodel.corpus import CorpusError
from costmodel.distributed.cluster import Cluster
from costmodel.kinds import kind_of
from featurizers.core import Features, Raw, joined
from featurizers.errors import InputError

_TOGETHER = 128
"""Inputs of one task."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Inputs of one kind, and what is asked of their features (see `Featurizer.features`)."""

    kind: str
    ids: tuple[str, ...]
    raws: tuple[Raw, ...]
    profile: str
    extras: tuple[str, ...]


def features_by(
    cluster: Cluster, kind: str, ids: Sequence[str], raws: Sequence[Raw], profile: str, extras: Collection[str]
) -> Features:
    """Features of all inputs, in their order. CorpusError names the one that its featurizer refuses."""
    return joined(list(cluster.map(featurise, _parts(kind, ids, raws, profile, tuple(sorted(extras))))))


def _parts(
    kind: str, ids: Sequence[str], raws: Sequence[Raw], profile: str, extras: tuple[str, ...]
) -> Iterator[Wanted]:
    for start in range(0, len(ids), _TOGETHER):
        own = slice(start, start + _TOGETHER)
        yield Wanted(kind, tuple(ids[own]), tuple(raws[own]), profile, extras)


def featurise(wanted: Wanted) -> Features:
    """What a worker does."""
    featurizer = _featurizer(wanted.kind)
    subjects = []
    for name, raw in zip(wanted.ids, wanted.raws, strict=True):
        try:
            subjects.append(featurizer.parse(raw))
        except InputError as error:
            raise CorpusError(f"subject '{name}': {error}") from error
    features: Features = featurizer.features(subjects, profile=wanted.profile, extras=wanted.extras)
    return features


@lru_cache(maxsize=8)
def _featurizer(kind: str) -> Any:
    return kind_of(kind).featurizer()
