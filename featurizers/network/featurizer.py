"""`NetworkFeaturizer`: raw networks of any kind -> kernels and named columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from featurizers.core import Column, Features, Featurizer, Raw
from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.network import fbnet, nasbench201, nasbench201_fast, ofa
from featurizers.network.columns import COLUMNS
from featurizers.network.fusion import PROFILES, kernels
from featurizers.network.graph import MAX_BYTES, NetworkGraph
from featurizers.network.kernel_graph import graph_of_kernels
from featurizers.network.kernels import ACTIVATIONS, OP_TYPES, PART_COLUMNS, PART_INDEX
from featurizers.network.matching import match_nodes
from featurizers.network.nasbench201_space import features_of_cells, features_of_graphs, table
from featurizers.network.onnx_reader import read_onnx
from featurizers.network.parts import joined
from featurizers.network.pt2_reader import read_pt2

Network = NetworkGraph | nasbench201.Cell
"""What `parse` gives: a graph, or an encoding whose graph is written when something needs it."""
MAX_BATCH = 4096
_OPTIONS = ("dims", "batch", "allow_unknown_ops")


class NetworkFeaturizer(Featurizer[Network]):
    """Featurizer of neural networks; see `parse` for what it reads.

    Parameters
    ----------
    max_bytes : longest file that is read.
    """

    kind = "network"
    version = "1"
    columns: tuple[Column, ...] = COLUMNS
    part_columns: tuple[Column, ...] = PART_COLUMNS

    def __init__(self, max_bytes: int = MAX_BYTES):
        self.max_bytes = max_bytes

    def parse(self, raw: Raw) -> Network:
        """One network.

        `raw` holds exactly one of ``onnx`` (bytes), ``pt2`` (bytes), ``nasbench201`` (str), ``fbnet`` (22 op indices
        or names joined by ``|``), ``ofa`` ({ks, e, d, r}), and options: ``dims`` {name: int} and ``allow_unknown_ops``
        for files, ``batch`` for encodings.
        """
        if type(raw) is dict and len(raw) == 1 and "nasbench201" in raw:
            # What searches ask by the thousand: what follows costs more than to read it.
            return nasbench201.Cell(nasbench201.parse_cell(raw["nasbench201"]), 1)
        if not isinstance(raw, Mapping):
            raise InputError("A network", "must be a mapping of fields", type(raw).__name__)
        for key in raw:
            if key not in _READERS and key not in _OPTIONS:
                raise UnknownNameError("field of a network", str(key), (*_READERS, *_OPTIONS))
        given = [key for key in _READERS if key in raw]
        if len(given) != 1:
            raise InputError("A network", f"must be given by exactly one of {', '.join(_READERS)}", given)
        subject: Network = _READERS[given[0]](raw, self.max_bytes)
        return subject

    def features(
        self, subjects: Sequence[Network], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        """Columns and kernels of many networks under a fusion profile (see `fusion.PROFILES`); as graphs, the kernels
        with an edge for each value that one makes and another reads."""
        found = self._features(subjects, profile, names)
        if "graphs" not in extras:
            return found
        graphs = tuple(graph_of_kernels(kernels(_graph(subject), profile)) for subject in subjects)
        return replace(found, graphs=graphs, node_columns=PART_COLUMNS, vocabularies={"nodes": OP_TYPES})

    def _features(self, subjects: Sequence[Network], profile: str, names: bool) -> Features:
        cells: dict[int, list[int]] = {}
        rest: list[int] = []
        for index, subject in enumerate(subjects):
            if isinstance(subject, nasbench201.Cell) and not names:
                cells.setdefault(subject.batch, []).append(index)
            else:
                rest.append(index)
        groups = [(np.asarray(which), _cells(subjects, which, profile, batch)) for batch, which in cells.items()]
        if rest or not groups:
            graphs = [_graph(subjects[i]) for i in rest]
            groups.append((np.asarray(rest, dtype=np.int64), features_of_graphs(graphs, profile, names=names)))
        return groups[0][1] if len(groups) == 1 else joined(groups, len(subjects))

    def match_parts(
        self, subject: Network, measured: Sequence[Mapping[str, Any]], *, profile: str = ""
    ) -> list[int | None]:
        """For each profiler row (see `matching`) the kernel of `subject` that it timed, or None."""
        return match_nodes(kernels(_graph(subject), profile), measured)

    def part_ops(self, features: Features) -> list[str]:
        """What each distinct kernel is, e.g. ``Conv+Add+Relu``; ``unknown`` for an op we do not know."""
        assert features.parts is not None
        columns = [PART_INDEX[name] for name in ("op_type", "residual", "activation")]
        codes = features.parts.matrix[:, columns].astype(int).tolist()
        return ["+".join(filter(None, (OP_TYPES[t], "Add" * r, ACTIVATIONS[a]))) for t, r, a in codes]

    def warm(self, profiles: Sequence[str], batch: int = 1) -> None:
        """Compute the tables of the NAS-Bench-201 space now, so that no request waits for them."""
        for profile in profiles:
            if (profile or "none") in nasbench201_fast.RULES:
                table(profile or "none", batch)


def _graph(subject: Network) -> NetworkGraph:
    return subject.graph if isinstance(subject, nasbench201.Cell) else subject


def _cells(subjects: Sequence[Network], which: Sequence[int], profile: str, batch: int) -> Features:
    ops = [s.ops for s in (subjects[i] for i in which) if isinstance(s, nasbench201.Cell)]
    name = profile or "none"
    if name not in PROFILES:
        raise UnknownNameError("fusion profile", name, PROFILES)
    return features_of_cells(np.asarray(ops, dtype=np.int64), name, batch)


def _file(raw: Raw, key: str) -> bytes:
    data = raw[key]
    if isinstance(data, bytearray | memoryview):
        data = bytes(data)
    if not isinstance(data, bytes):
        raise InputError(f"The field '{key}'", "must be the bytes of a file", type(data).__name__)
    if "batch" in raw:
        raise InputError("The option 'batch'", "is for encodings; a file's own dimensions are given by 'dims'")
    return data


def whole_number(value: object, name: str) -> int:
    """An int >= 1; floats must be whole (JSON has no integers), booleans and NaN are refused."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(name, "must be a whole number of at least 1", value)
    return value


def _dims(raw: Raw) -> dict[str, int]:
    dims = raw.get("dims") or {}
    if not isinstance(dims, Mapping):
        raise InputError("The option 'dims'", "must map names of dimensions to sizes", dims)
    return {str(k): whole_number(v, f"The dimension '{k}'") for k, v in dims.items()}


def _allow_unknown(raw: Raw) -> bool:
    value = raw.get("allow_unknown_ops", False)
    if not isinstance(value, bool):
        raise InputError("The option 'allow_unknown_ops'", "must be true or false", value)
    return value


def _read_onnx(raw: Raw, max_bytes: int) -> NetworkGraph:
    return read_onnx(_file(raw, "onnx"), _dims(raw), allow_unknown_ops=_allow_unknown(raw), max_bytes=max_bytes)


def _batch(raw: Raw) -> int:
    for option in ("dims", "allow_unknown_ops"):
        if option in raw:
            raise InputError(f"The option '{option}'", "is for files; an encoding takes 'batch'")
    batch = whole_number(raw.get("batch", 1), "The option 'batch'")
    if batch > MAX_BATCH:
        raise LimitError("The option 'batch'", f"must be at most {MAX_BATCH}", batch)
    return batch


def _read_nasbench201(raw: Raw, _: int) -> nasbench201.Cell:
    return nasbench201.Cell(nasbench201.parse_cell(raw["nasbench201"]), _batch(raw))


def _read_fbnet(raw: Raw, _: int) -> NetworkGraph:
    return fbnet.build(fbnet.parse_fbnet(raw["fbnet"]), _batch(raw))


def _read_ofa(raw: Raw, _: int) -> NetworkGraph:
    return ofa.build(ofa.parse_ofa(raw["ofa"]), _batch(raw))


def _read_pt2(raw: Raw, max_bytes: int) -> NetworkGraph:
    return read_pt2(_file(raw, "pt2"), _dims(raw), allow_unknown_ops=_allow_unknown(raw), max_bytes=max_bytes)


_READERS: Mapping[str, Callable[[Raw, int], Any]] = {
    "pt2": _read_pt2,
    "onnx": _read_onnx,
    "nasbench201": _read_nasbench201,
    "fbnet": _read_fbnet,
    "ofa": _read_ofa,
}
