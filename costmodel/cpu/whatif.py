"""``what-if``: double the L3, add 1,000 MT/s. The change in each score, its interval, and whether data support it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from costmodel.prediction import Prediction, Target
from costmodel.predictor import Predictor
from costmodel.target_model import Answers
from featurizers.core import Features
from featurizers.cpu.columns import COLUMNS, vectors
from featurizers.cpu.featurizer import CpuFeaturizer
from featurizers.cpu.fields import read_fields
from featurizers.cpu.spec import RANGES, ServerSpec, check
from featurizers.cpu.tables import Processor
from featurizers.errors import InputError, UnknownNameError

_OF_PROCESSOR = {
    "base_ghz": "base_ghz",
    "allcore_ghz": "allcore_ghz",
    "max_ghz": "boost_ghz",
    "l3_mb": "l3_mb",
    "tdp_w": "tdp_w",
    "memory_channels": "channels",
    "memory_mts": "memory_mts",
}
"""Fields for which the table's fact of the processor would hide the change."""

_FEW_VARIANTS = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One score before and after; ratio low to high holds with the predictions' coverage. `warnings` in words."""

    target: str
    before: Prediction
    after: Prediction
    ratio: float
    ratio_low: float
    ratio_high: float
    warnings: tuple[str, ...]


def what_if(
    predictor: Predictor,
    raw: Mapping[str, object],
    set_fields: Mapping[str, float],
    device: str = "spare-cores",
    targets: Sequence[str] | None = None,
) -> list[Change]:
    """Scores with `set_fields` (numbers of `ServerSpec`) in place of what the machine has.

    The two predictions share most of their error, so the interval of their ratio is narrower than either: it takes the
    part of both spreads that the change itself adds, by the distance that it moves the machine.

    Raises
    ------
    InputError : an input that cannot be read, or a changed machine that cannot be. UnknownNameError : no such field.
    """
    spec = CpuFeaturizer().parse(raw)
    changed = changed_spec(spec, set_fields)
    entry = predictor.devices.get(device)
    if entry is None:
        raise UnknownNameError("device", device, predictor.devices)
    both = Features(vectors([spec, changed]), COLUMNS)
    out = []
    for name in targets or entry.targets:
        if name not in entry.targets:
            raise UnknownNameError("benchmark", name, entry.targets)
        target = predictor.targets[name]
        answers = predictor.model(device, name).answer(both)
        before, after = (_prediction(predictor, device, target, answers, i) for i in (0, 1))
        step = float(np.log(after.value / before.value))
        half = float(np.log(after.high / after.low)) / 2 * _share_moved(both)
        warnings = (*after.reasons, *_support_warnings(predictor, set_fields, changed))
        ratio, low, high = (float(np.exp(step + sign * half)) for sign in (0, -1, 1))
        out.append(Change(name, before, after, ratio, low, high, warnings))
    return out


def _prediction(predictor: Predictor, device: str, target: Target, answers: Answers, i: int) -> Prediction:
    value, low, high = float(answers.value[i]), float(answers.low[i]), float(answers.high[i])
    reasons = answers.reasons[i]
    coverage = predictor.model(device, target.name).calibration.coverage
    name, version = predictor.name, predictor.version
    return Prediction(target.name, value, target.unit, low, high, coverage, not reasons, reasons, device, name, version)


def changed_spec(spec: ServerSpec, set_fields: Mapping[str, float]) -> ServerSpec:
    """`spec` with other numbers, checked; the table's facts of its processor give way to them."""
    if not set_fields:
        raise InputError("'set'", "must name at least one field to change", {})
    allowed = [name for name in RANGES if name != "gpu_count"]
    for name in set_fields:
        if name not in allowed:
            raise UnknownNameError("field", name, allowed, where=f"$.set.{name}")
    values = {name: float(str(value)) for name, value in read_fields(dict(set_fields)).items()}
    processor = spec.processor
    if processor is not None:
        facts = dict(processor.facts) | {_OF_PROCESSOR[n]: v for n, v in values.items() if n in _OF_PROCESSOR}
        processor = Processor(processor.designator, processor.cloud, facts, processor.source)
    given = {field.name: getattr(spec, field.name) for field in fields(spec)}
    changed = replace(spec, **{**given, **values, "processor": processor})
    check(changed, where="$.set")
    return changed


def _share_moved(both: Features) -> float:
    """How much of the spread is the change's own: 0 for none, 1 for a machine unlike the first one."""
    gap = np.abs(np.nan_to_num(np.sign(both.vectors) * np.log1p(np.abs(both.vectors))))
    moved = np.abs(gap[0] - gap[1])
    return float(1 - np.exp(-2 * moved.sum() / np.log(2) / 4))


def _support_warnings(predictor: Predictor, set_fields: Mapping[str, float], changed: ServerSpec) -> tuple[str, ...]:
    """Fields that hardly vary inside one micro-architecture: their effect is then that of the generations."""
    varied = predictor.card.get("variants", {})
    out = []
    for name in set_fields:
        known = varied.get(changed.microarchitecture, {}).get(name, 0)
        if known < _FEW_VARIANTS:
            design = changed.microarchitecture or "this CPU"
            out.append(f"the data hold {known} values of {name} for {design}: the effect is taken from other designs")
    return tuple(out)


def variants(specs: Sequence[ServerSpec]) -> dict[str, dict[str, int]]:
    """Per micro-architecture, how many different values of each field that `what_if` may change were measured."""
    from featurizers.cpu.columns import resolved

    found: dict[str, dict[str, set[float]]] = {}
    for spec in specs:
        entry = found.setdefault(spec.microarchitecture, {})
        facts = resolved(spec)
        for name in RANGES:
            value = facts.part.get(_OF_PROCESSOR.get(name, ""), getattr(spec, name))
            if np.isfinite(value):
                entry.setdefault(name, set()).add(round(float(value), 3))
    return {design: {name: len(values) for name, values in entry.items()} for design, entry in found.items()}
