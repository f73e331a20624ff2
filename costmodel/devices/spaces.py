"""NAS spaces: the meta-trained learners of `costmodel.fewshot` behind the `Adapter` seam."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.devices.protocol import BATCH, Adapted, Answer
from costmodel.fewshot import AdaptedDevice, FewShotRegressor, champion
from costmodel.fewshot.calibrate import COVERAGE
from costmodel.fewshot.checks import check_measurements
from costmodel.prediction import Target
from costmodel.registry import PRETRAINED
from costmodel.regressors.base import Array
from featurizers.core import Raw
from featurizers.errors import InputError, UnknownNameError
from featurizers.network.nas_physics import NASBENCH201_EDGES, NASBENCH201_OPS, OpIndices

_CHUNK = 2048
_ROWS_MAX, _REMEMBERED = 20_000, 256
"""Rows of features that are kept (1 to 2 kB each), and those of one question that are worth keeping."""
_PREFIX = "network_fewshot_"


class NasAdapter:
    """New devices of one NAS space. learners : meta-trained, the default one first."""

    target = Target("latency_ms", "ms")
    coverage = COVERAGE

    def __init__(self, space: str, learners: Sequence[FewShotRegressor]):
        if not learners:
            raise LookupError(f"No few-shot learner of the space '{space}' is packaged.")
        self.space = space
        self.learners = tuple(learners)
        self._rows: dict[tuple[str, bytes], tuple[float, Array]] = {}

    def encoding(self, raw: Raw) -> object:
        """The encoding in a raw input. Raises InputError naming what else the input holds."""
        if not isinstance(raw, dict):
            raise InputError("A network", "must be a mapping of fields", type(raw).__name__)
        for field in raw:
            if field not in (self.space, BATCH):
                rule = f"is not a field of this device's inputs: it was measured on '{self.space}' encodings"
                raise InputError(f"'{field}'", rule)
        if self.space not in raw:
            raise InputError("A network for this device", f"must be given by '{self.space}'", sorted(raw))
        return raw[self.space]

    def ops(self, raws: Sequence[Raw]) -> OpIndices:
        """Op indices (n, positions)."""
        return self.learners[0].parse([self.encoding(raw) for raw in raws])

    def features(self, learner: FewShotRegressor, ops: OpIndices) -> tuple[Array, Array]:
        """As `FewShotRegressor.features`, remembered: a search asks for the same architectures again and again."""
        keys = [(learner.learner, row.tobytes()) for row in ops]
        rows = {key: self._rows[key] for key in keys if key in self._rows}
        missing = {key: i for i, key in enumerate(keys) if key not in rows}
        if missing:
            offset, features = learner.features(ops[list(missing.values())])
            new = dict(zip(missing, zip(offset.tolist(), features, strict=True), strict=True))
            if len(new) <= _REMEMBERED:
                self._keep(new)
            rows |= new
        return np.array([rows[key][0] for key in keys]), np.stack([rows[key][1] for key in keys])

    def _keep(self, new: dict[tuple[str, bytes], tuple[float, Array]]) -> None:
        if len(self._rows) >= _ROWS_MAX:
            self._rows = {}
        self._rows.update(new)

    def identity(self, raw: Raw) -> str:
        return self.ops([raw]).tobytes().hex()

    def kept(self, raw: Raw) -> Raw:
        return raw

    def adapt(
        self, raws: Sequence[Raw], values: Sequence[float], *, any_scale: bool = False,
        descriptor: Mapping[str, Any] | None = None,
    ) -> Adapted:  # fmt: skip
        ops = self.ops(raws)
        checked = check_measurements(ops, values)
        adapted = [
            learner.adapt_features(ops, *self.features(learner, ops), checked, scale=not any_scale)
            for learner in self.learners
        ]
        return NasDevice(self, champion(adapted))

    def plan(
        self, n: int, measured: Sequence[Raw], adapted: Adapted | None, candidates: Sequence[Raw] | None, seed: int
    ) -> list[Raw]:
        offered = None if candidates is None else [self.encoding(raw) for raw in candidates]
        if isinstance(adapted, NasDevice):
            chosen = adapted.device.plan(n, offered, seed)
        else:
            chosen = self.learners[0].plan(n, [self.encoding(raw) for raw in measured], offered, seed)
        return [{self.space: self._written(row)} for row in chosen]

    def _written(self, row: Sequence[int]) -> Any:
        return _WRITERS[self.space](row)


@dataclass(frozen=True, slots=True)
class NasDevice:
    """An `Adapted` of a NAS space."""

    adapter: NasAdapter
    device: AdaptedDevice

    @property
    def learner(self) -> str:
        return self.device.learner

    @property
    def trust(self) -> Array:
        return self.device.trust

    def answer(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        found: list[Answer | InputError] = []
        for start in range(0, len(raws), _CHUNK):
            found += self._chunk(raws[start : start + _CHUNK])
        return found

    def _chunk(self, raws: Sequence[Raw]) -> list[Answer | InputError]:
        try:
            return list(self._answers(self.adapter.ops(raws)))
        except InputError as error:
            if len(raws) == 1:
                return [error]
        parsed = [self._parsed(raw) for raw in raws]
        good = [ops for ops in parsed if not isinstance(ops, InputError)]
        answers = iter(self._answers(np.concatenate(good)) if good else [])
        return [entry if isinstance(entry, InputError) else next(answers) for entry in parsed]

    def _parsed(self, raw: Raw) -> OpIndices | InputError:
        try:
            return self.adapter.ops([raw])
        except InputError as error:
            return error

    def _answers(self, ops: OpIndices) -> list[Answer]:
        estimate = self.device.predict_features(*self.adapter.features(self.device.owner, ops))
        low, high = self.device.interval(estimate)
        rows = zip(np.exp(estimate.point).tolist(), low.tolist(), high.tolist(), strict=True)
        return [Answer(*row) for row in rows]


def _cell(row: Sequence[int]) -> str:
    """A NAS-Bench-201 string."""
    nodes: dict[int, list[str]] = {}
    for (source, target), op in zip(NASBENCH201_EDGES, row, strict=True):
        nodes.setdefault(target, []).append(f"{NASBENCH201_OPS[op]}~{source}")
    return "+".join(f"|{'|'.join(edges)}|" for edges in nodes.values())


def _ofa(row: Sequence[int]) -> dict[str, Any]:
    values = [int(value) for value in row]
    return {"ks": values[:20], "e": values[20:40], "d": values[40:45], "r": values[45]}


_WRITERS: dict[str, Callable[[Sequence[int]], Any]] = {
    "nasbench201": _cell,
    "fbnet": lambda row: [int(op) for op in row],
    "ofa": _ofa,
}
_loaded: dict[str, NasAdapter] = {}
_lock = threading.Lock()


def nas_adapter(space: str, packaged: Path = PRETRAINED) -> NasAdapter:
    """The adapter over the packaged learners of a space, read once. LookupError where none is packaged."""
    if space not in _WRITERS:
        raise UnknownNameError("NAS space", space, _WRITERS)
    with _lock:
        if space not in _loaded:
            folders = sorted(packaged.glob(f"{_PREFIX}{space}*"), key=lambda folder: len(folder.name))
            _loaded[space] = NasAdapter(space, [FewShotRegressor.load(folder) for folder in folders])
        return _loaded[space]
