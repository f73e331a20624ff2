"""``POST /v1/adapt/cpu`` and ``/v1/what-if/cpu``: what only the predictor of servers answers."""

from __future__ import annotations

from typing import Any

import msgspec

from costmodel.cpu.adapt import QUICK, Adapter
from costmodel.cpu.predictor import CpuPredictor, marked
from costmodel.cpu.whatif import Change, new_values, what_if
from costmodel.operations import KindOperation, KindQuestion, operations
from costmodel.prediction import Neighbour, Prediction
from featurizers.errors import InputError, UnknownNameError

_DEVICE = "spare-cores"


class AdaptQuestion(KindQuestion, kw_only=True):
    """`known`: measured scores of the machine by benchmark. `targets`: only these benchmarks (default: all)."""

    known: dict[str, Any]
    targets: list[str] | None = None


class AdaptAnswer(msgspec.Struct, frozen=True):
    """Every benchmark but the known ones, with intervals that the known scores have narrowed.

    `suggested`: quick benchmarks to run as well, up to three in all: those that say most about the `targets` that were
    asked for, or else about all.
    """

    predictions: list[Prediction]
    nearest: list[Neighbour]
    suggested: list[str]


def adapt(predictor: CpuPredictor, question: AdaptQuestion) -> AdaptAnswer:
    """Raises InputError: a machine that cannot be read, an unknown benchmark, a score that is not positive."""
    adapter = predictor.adapter
    names = {target.name for target in adapter.targets}
    for name in question.targets or ():
        if name not in names:
            raise UnknownNameError("benchmark", name, names, where="$.targets")
    if not question.known:
        rule = f"must hold at least one score, for example of {', '.join(_suggested(adapter, question))}"
        raise InputError("The 'known'", rule, question.known, where="$.known")
    spec = predictor.featurizer.parse(question.input)
    features = predictor.featurizer.features([spec])
    first = predictor.devices[_DEVICE].targets[0]
    reasons = marked(spec, predictor.model(_DEVICE, first).domain.check(features)[0])
    found = adapter.adapt(features, question.known, predictor.version, reasons)
    if question.targets is not None:
        found = [prediction for prediction in found if prediction.target in question.targets]
    return AdaptAnswer(found, predictor.nearest(spec), _suggested(adapter, question))


def _suggested(adapter: Adapter, question: AdaptQuestion) -> list[str]:
    if question.targets:
        return adapter.suggest(question.targets, question.known, max(len(QUICK) - len(question.known), 0))
    names = {target.name for target in adapter.targets}
    return [name for name in QUICK if name in names and name not in question.known]


class WhatIfQuestion(KindQuestion, kw_only=True):
    """`set`: fields with their new values. `scale`: fields with a factor. `add`: fields with what is added.

    `targets`: only these benchmarks (default: all that have a model of their own).
    """

    set: dict[str, float] = msgspec.field(default_factory=dict)
    scale: dict[str, float] = msgspec.field(default_factory=dict)
    add: dict[str, float] = msgspec.field(default_factory=dict)
    targets: list[str] | None = None


class WhatIfAnswer(msgspec.Struct, frozen=True):
    """The change of each benchmark, and the fields as they are `before` and `after`."""

    changes: list[Change]
    before: dict[str, float | None]
    after: dict[str, float | None]


def ask_what_if(predictor: CpuPredictor, question: WhatIfQuestion) -> WhatIfAnswer:
    """Raises InputError: a machine that cannot be read, an unknown field, or a machine that cannot be."""
    spec = predictor.featurizer.parse(question.input)
    before, after = new_values(spec, question.set, question.scale, question.add)
    changes = what_if(predictor, question.input, after, _DEVICE, question.targets)
    return WhatIfAnswer(changes, before, dict(after))


OPERATIONS = operations(
    KindOperation(
        "adapt",
        "A few known scores of a new machine in, all other benchmarks out, with narrower intervals.",
        AdaptQuestion,
        AdaptAnswer,
        adapt,
    ),
    KindOperation(
        "what-if",
        "The change of each score with other facts: twice the L3, 1,000 MT/s more.",
        WhatIfQuestion,
        WhatIfAnswer,
        ask_what_if,
    ),
)
