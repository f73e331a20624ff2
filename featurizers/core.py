"""The first seam: raw input -> validated subject -> named numbers.

A featurizer knows no model. It is deterministic, versioned and holds no state that changes an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Raw = Mapping[str, Any]
"""Raw input as REST, the CLI and the library pass it: a mapping of fields (JSON types, or bytes for files)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One named feature: what it is, its unit (``"1"`` for counts and ratios) and the group it belongs to.

    vocabulary : of a column of codes, the word that each code stands for; append only, since codes are in bundles.
    """

    name: str
    unit: str
    group: str
    vocabulary: tuple[str, ...] = ()


_PLACES_MAX = 64
_places: dict[int, tuple[tuple[Column, ...], Mapping[str, int]]] = {}


def places_of(columns: tuple[Column, ...]) -> Mapping[str, int]:
    """Where the column of each name stands; looked up once for each tuple, by identity, since to hash hundreds of
    columns takes longer than what is asked of them."""
    held = _places.get(id(columns))
    if held is None or held[0] is not columns:
        if len(_places) >= _PLACES_MAX:
            _places.clear()
        held = _places[id(columns)] = columns, {column.name: place for place, column in enumerate(columns)}
    return held[1]


class Chosen:
    """Some of the columns of any features, by name."""

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self._held: tuple[tuple[Column, ...], IntArray] = (), np.empty(0, dtype=np.int64)

    def __call__(self, features: Features) -> FloatArray:
        """float32 (n, names). KeyError where there is no column of one of the names."""
        columns, index = self._held
        if columns is not features.columns:
            places = places_of(features.columns)
            index = np.array([places[name] for name in self.names], dtype=np.int64)
            self._held = features.columns, index
        return features.vectors.take(index, axis=1)


@dataclass(frozen=True, slots=True)
class Parts:
    """What subjects consist of (kernels of a network, layers of a design), each distinct part held once.

    A subject's cost is modelled as a sum over its parts, so that a part seen in any subject teaches about all.

    Attributes
    ----------
    matrix : float32 (u, part_columns), the distinct parts.
    owner : int64 (m,), which subject each entry belongs to, ascending.
    part : int64 (m,), the row of `matrix` of each entry.
    count : float32 (m,), how many times that subject holds that part.
    names : for each entry the names it has in the subject, e.g. the ONNX nodes fused into a kernel;
        empty when the featurizer was not asked for names.
    """

    matrix: FloatArray
    owner: IntArray
    part: IntArray
    count: FloatArray
    names: tuple[tuple[str, ...], ...] = ()
    _keys: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def keys(self) -> list[bytes]:
        """For each distinct part (u,) its row as bytes: equal parts have equal keys, so that what was found out about
        one need not be found out again."""
        if len(self._keys) != len(self.matrix):
            buffer, width = self.matrix.tobytes(), self.matrix.shape[1] * self.matrix.itemsize
            self._keys[:] = [buffer[start : start + width] for start in range(0, len(buffer), width)]
        return self._keys

    def total(self, per_part: npt.NDArray[np.float64], subjects: int) -> npt.NDArray[np.float64]:
        """Sum of ``per_part`` (u,) over each subject's parts, float64 (subjects,)."""
        weights = per_part[self.part] * self.count
        return np.bincount(self.owner, weights=weights, minlength=subjects).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Graph:
    """One subject as a graph of numbers, for graph neural networks.

    nodes : float32 (nodes, node_columns); edges : int64 (2, edges), source row 0, target row 1;
    node_types : int64 (nodes,) index into the vocabulary ``nodes`` of the features; edge_types : int64 (edges,) index
    into the vocabulary ``edges``, where the kind tells edges apart.
    """

    nodes: FloatArray
    node_types: IntArray
    edges: IntArray
    edge_types: IntArray | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """What a regressor sees: `vectors` float32 (n, columns) and, where the kind has them, parts, graphs and sequences.

    sequences : by the token stream's name, for each subject its tokens, int64 (length,), indices into the vocabulary
        of that name.
    vocabularies : by name (a token stream's; ``nodes`` and ``edges`` of graphs) the words that the indices stand for.
        A model keeps those it was trained with, since a later featurizer may know more (append only).
    node_columns : the columns of `Graph.nodes`.
    """

    vectors: FloatArray
    columns: tuple[Column, ...]
    parts: Parts | None = None
    part_columns: tuple[Column, ...] = ()
    graphs: tuple[Graph, ...] = field(default=())
    node_columns: tuple[Column, ...] = ()
    sequences: Mapping[str, tuple[IntArray, ...]] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def column(self, name: str) -> FloatArray:
        """One column by name, float32 (n,). KeyError when there is none of that name."""
        return self.vectors[:, places_of(self.columns)[name]]

    def vocabulary(self, name: str) -> tuple[str, ...]:
        """The words of a token stream, or of ``nodes`` or ``edges``. KeyError when there is none of that name."""
        return self.vocabularies[name]

    def take(self, rows: npt.NDArray[np.int64]) -> Features:
        """The features of the given subjects, in the given order (a subject may be taken twice)."""
        parts = None if self.parts is None else _take_parts(self.parts, rows, len(self))
        graphs = tuple(self.graphs[i] for i in rows) if self.graphs else ()
        sequences = {name: tuple(tokens[i] for i in rows) for name, tokens in self.sequences.items()}
        return replace(self, vectors=self.vectors[rows], parts=parts, graphs=graphs, sequences=sequences)


def joined(features: Sequence[Features]) -> Features:
    """Features of the same columns, one after the other; a part that several have is held once."""
    first = features[0]
    return replace(
        first,
        vectors=np.concatenate([each.vectors for each in features]),
        parts=None if first.parts is None else _joined_parts(features),
        graphs=tuple(graph for each in features for graph in each.graphs),
        sequences={name: tuple(ids for each in features for ids in each.sequences[name]) for name in first.sequences},
    )


def _joined_parts(features: Sequence[Features]) -> Parts:
    own = [each.parts for each in features if each.parts is not None]
    keys = [parts.keys() for parts in own]
    places: dict[bytes, int] = {}
    rows = [np.array([places.setdefault(key, len(places)) for key in part], dtype=np.int64) for part in keys]
    matrix = np.empty((len(places), own[0].matrix.shape[1]), dtype=np.float32)
    for parts, row in zip(own, rows, strict=True):
        matrix[row] = parts.matrix
    starts = np.cumsum([0, *map(len, features)])
    return Parts(
        matrix,
        np.concatenate([parts.owner + start for parts, start in zip(own, starts, strict=False)]),
        np.concatenate([row[parts.part] for parts, row in zip(own, rows, strict=True)]),
        np.concatenate([parts.count for parts in own]),
        tuple(names for parts in own for names in parts.names),
    )


def _take_parts(parts: Parts, rows: npt.NDArray[np.int64], subjects: int) -> Parts:
    starts = np.searchsorted(parts.owner, np.arange(subjects + 1))
    lengths = starts[rows + 1] - starts[rows]
    owner = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
    offset_in_row = np.arange(lengths.sum(), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    index = np.repeat(starts[rows], lengths) + offset_in_row
    used, part = np.unique(parts.part[index], return_inverse=True)
    names = tuple(parts.names[i] for i in index) if parts.names else ()
    return Parts(parts.matrix[used], owner, part.astype(np.int64), parts.count[index], names)


EXTRAS = ("graphs", "sequences")
"""Attributes of `Features` that are filled when asked for."""

SubjectT = TypeVar("SubjectT")


@runtime_checkable
class Featurizer(Protocol[SubjectT]):
    """Raw input -> subject -> `Features`. One implementation per kind of input; one that inherits gets the defaults
    of `warm`, `match_parts` and `part_ops`, which suit a kind without tables, profilers or parts."""

    kind: str
    version: str
    """Raised whenever the same input may give other numbers; a bundle refuses another version than its own."""
    columns: tuple[Column, ...]
    part_columns: tuple[Column, ...]

    def parse(self, raw: Raw) -> SubjectT:
        """Validate one raw input. Raises `InputError` naming the thing, the rule, the value and the place."""
        ...

    def features(
        self, subjects: Sequence[SubjectT], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        """Numbers of many subjects.

        profile : whose execution rules divide a subject into parts, e.g. a runtime's operator fusion; every device
            of a bundle names its own. Empty: as the user wrote it.
        names : give the parts their names too (needed by `explain`).
        extras : of `EXTRAS`, what only some regressors read and is computed only when asked for. A kind that has no
            such thing gives none.
        """
        ...

    def pieces(self, subject: SubjectT) -> Mapping[str, SubjectT]:
        """By name, what does not depend on one another in a subject, so that its cost follows from theirs (the
        functions of a module); empty where it is one piece, as most kinds' subjects are."""
        return {}

    def warm(self, profiles: Sequence[str]) -> None:
        """Compute now what is otherwise computed at the first use of these profiles; most kinds have nothing to do."""

    def match_parts(
        self, subject: SubjectT, measured: Sequence[Mapping[str, Any]], *, profile: str = ""
    ) -> list[int | None]:
        """For each part that a profiler measured inside `subject`, which of its parts (as ``names=True`` lists them)
        that is, or None. Each part is given to one measurement at most."""
        return [None] * len(measured)

    def part_ops(self, features: Features) -> list[str]:
        """For each distinct part (u,) what it is, in words."""
        return [] if features.parts is None else ["part"] * len(features.parts.matrix)
