"""``what-if``: double the L3, add 1,000 MT/s. The change in each score, its interval, and whether data support it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from costmodel.calibration import NORMAL_90
from costmodel.cpu.kernel import Shape, Support, own_covariance
from costmodel.prediction import Prediction, Target
from costmodel.regressors import Array
from costmodel.target_model import Answers
from featurizers.core import Features
from featurizers.cpu.columns import COLUMNS, first_known, resolved, vectors
from featurizers.cpu.featurizer import CpuFeaturizer
from featurizers.cpu.fields import read_fields
from featurizers.cpu.spec import NAN, RANGES, ServerSpec, check
from featurizers.cpu.tables import Processor
from featurizers.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from costmodel.cpu.predictor import CpuPredictor

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
    predictor: CpuPredictor,
    raw: Mapping[str, object],
    set_fields: Mapping[str, float],
    device: str = "spare-cores",
    targets: Sequence[str] | None = None,
) -> list[Change]:
    """Scores with `set_fields` (numbers of `ServerSpec`) in place of what the machine has.

    The two predictions share most of their error, so the interval of their ratio is narrower than either: see
    `ChangeSpread`.

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
    moved = distances(both, predictor.adapter.support, predictor.adapter.shape)
    spread = ChangeSpread.from_json(predictor.card.get("change_spread", {}))
    warnings = _support_warnings(predictor, set_fields, changed)
    out = []
    for name in targets or entry.targets:
        if name not in entry.targets:
            raise UnknownNameError("benchmark", name, entry.targets)
        target = predictor.targets[name]
        answers = predictor.model(device, name).answer(both)
        before, after = (_prediction(predictor, device, target, answers, i) for i in (0, 1))
        step = float(np.log(after.value / before.value))
        half = spread.half(moved, float(np.log(after.high / after.low)) / 2)
        ratio, low, high = (float(np.exp(step + sign * half)) for sign in (0, -1, 1))
        out.append(Change(name, before, after, ratio, low, high, (*after.reasons, *warnings)))
    return out


def new_values(
    spec: ServerSpec, put: Mapping[str, float], scale: Mapping[str, float], add: Mapping[str, float]
) -> tuple[dict[str, float | None], dict[str, float]]:
    """Fields that change: as they are (None where unknown), and as they are to be.

    Raises InputError for a field named twice, or scaled or added to where nobody knows what it is.
    """
    named = [*put, *scale, *add]
    for name in named:
        _check_field(name)
        if named.count(name) > 1:
            raise InputError(f"The field '{name}'", "must be changed in one way only", where=f"$.set.{name}")
    before = {name: current(spec, name) for name in named}
    after = dict(put)
    for name in [*scale, *add]:
        if not math.isfinite(before[name]):
            rule = "is not known of this machine, so it can only be set"
            raise InputError(f"The field '{name}'", rule, where=f"$.{'scale' if name in scale else 'add'}.{name}")
        after[name] = before[name] * scale[name] if name in scale else before[name] + add[name]
    return {name: value if math.isfinite(value) else None for name, value in before.items()}, after


def current(spec: ServerSpec, name: str) -> float:
    """What a field is taken for now: the processor's fact, what was given, or what is typical of the design."""
    facts = resolved(spec)
    fact = _OF_PROCESSOR.get(name, "")
    typical = {"l3_mb": facts.l3_host_mb, "max_ghz": facts.boost_ghz, "allcore_ghz": facts.allcore_ghz}
    return first_known(
        facts.part.get(fact, NAN), getattr(spec, name), typical.get(name, NAN), facts.arch.get(fact or name, NAN)
    )


def _check_field(name: str) -> None:
    allowed = [field for field in RANGES if field != "gpu_count"]
    if name not in allowed:
        raise UnknownNameError("field", name, allowed, where=f"$.set.{name}")


def distances(both: Features, support: Support, shape: Shape) -> float:
    """How far a change moves a machine: the prior's standard deviation of the difference, in log units."""
    points = support.scaling.apply(both)
    own = own_covariance(points, shape).astype(np.float64)
    between = float(Support(points[1:], support.scaling).covariances(points[:1], shape)[0, 0])
    return math.sqrt(max(float(own.sum()) - 2 * between, 0.0))


@dataclass(frozen=True, slots=True)
class ChangeSpread:
    """The interval of a ratio of two machines' scores, from how the errors of unseen CPU models differ.

    distance, share : of pairs of machines of different CPU models, by how far they lie apart, the quantile of the
    difference of their errors as a part of the half width of an interval. Prior and pairs bound the change's own error
    from above, so the narrower one holds.
    """

    distance: tuple[float, ...]
    share: tuple[float, ...]

    def half(self, moved: float, half_width: float) -> float:
        """Half of the interval of the ratio, in log units."""
        share = float(np.interp(moved, self.distance, self.share)) if self.distance else math.sqrt(2)
        return min(NORMAL_90 * moved, share * half_width)

    @classmethod
    def from_json(cls, content: Mapping[str, Sequence[float]]) -> ChangeSpread:
        """What ``asdict`` gave; of a model without it, twice the variance of one prediction."""
        return cls(tuple(content.get("distance", ())), tuple(content.get("share", ())))

    @classmethod
    def fit(cls, moved: Array, ratio: Array, coverage: float) -> ChangeSpread:
        """moved (p,), ratio (p,) of the pairs' error differences to the half widths."""
        edges = np.quantile(moved, np.linspace(0, 1, _BINS + 1))
        place = np.clip(np.searchsorted(edges, moved, side="right") - 1, 0, _BINS - 1)
        centre = [float(np.median(moved[place == b])) for b in range(_BINS)]
        share = [float(np.quantile(ratio[place == b], coverage)) for b in range(_BINS)]
        rising = np.maximum.accumulate(share)
        return cls(tuple(round(c, 4) for c in centre), tuple(round(float(s), 4) for s in rising))


_BINS = 8


def _prediction(predictor: CpuPredictor, device: str, target: Target, answers: Answers, i: int) -> Prediction:
    value, low, high = float(answers.value[i]), float(answers.low[i]), float(answers.high[i])
    reasons = answers.reasons[i]
    coverage = predictor.model(device, target.name).calibration.coverage
    return Prediction(
        target.name, value, target.unit, low, high, coverage, not reasons, reasons,
        device, predictor.name, predictor.version, target.higher_is_better,
    )  # fmt: skip


def changed_spec(spec: ServerSpec, set_fields: Mapping[str, float]) -> ServerSpec:
    """`spec` with other numbers, checked; the tables' facts of its processor and design give way to them."""
    if not set_fields:
        raise InputError("'set'", "must name at least one field to change", {})
    for name in set_fields:
        _check_field(name)
    values = {name: float(str(value)) for name, value in read_fields(dict(set_fields)).items()}
    of_processor = {_OF_PROCESSOR[n]: v for n, v in values.items() if n in _OF_PROCESSOR}
    old = spec.processor or Processor("", "", {}, "what-if")
    processor = Processor(old.designator, old.cloud, dict(old.facts) | of_processor, old.source)
    seen = dict(values)
    if "l3_mb" in seen and math.isfinite(spec.l3_mb):
        # What a guest sees of the L3 may be a part of it, or more than its share: it grows as the chip's does.
        seen["l3_mb"] = spec.l3_mb * values["l3_mb"] / current(spec, "l3_mb")
    given = {field.name: getattr(spec, field.name) for field in fields(spec)}
    changed = replace(spec, **{**given, **seen, "processor": processor if processor.facts else None})
    check(changed, where="$.set")
    return changed


def _support_warnings(predictor: CpuPredictor, set_fields: Mapping[str, float], changed: ServerSpec) -> tuple[str, ...]:
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
    found: dict[str, dict[str, set[float]]] = {}
    for spec in specs:
        entry = found.setdefault(spec.microarchitecture, {})
        facts = resolved(spec)
        for name in RANGES:
            value = facts.part.get(_OF_PROCESSOR.get(name, ""), getattr(spec, name))
            if np.isfinite(value):
                entry.setdefault(name, set()).add(round(float(value), 3))
    return {design: {name: len(values) for name, values in entry.items()} for design, entry in found.items()}
