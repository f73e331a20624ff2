"""``POST /v1/advise/hls4ml``: the question and the answer that this kind has beside predict, rank and explain."""

from __future__ import annotations

from typing import Any

import msgspec

from costmodel.hls4ml.advise import advise
from costmodel.hls4ml.plot import svg
from costmodel.operations import KindOperation, KindQuestion, operations
from featurizers.errors import InputError


class AdviseQuestion(KindQuestion, kw_only=True):
    """`reuse_factors` and `weight_bits` to try (see `costmodel.hls4ml.advise.advise` for the defaults).

    p_fits : the least probability to fit the part. plot : whether to answer with a picture too.
    """

    reuse_factors: list[int] | None = None
    weight_bits: list[int] | None = None
    p_fits: float = 0.5
    plot: bool = False


class AdviseAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Advice.to_json`; `svg` is the picture, where it was asked for."""

    part: str
    limits: dict[str, float]
    fits: bool
    tried: int
    notes: list[str]
    options: list[dict[str, Any]]
    svg: str | None = None


def run(predictor: Any, question: AdviseQuestion) -> AdviseAnswer:
    """The Pareto front of one design. Raises InputError."""
    if not 0 <= question.p_fits <= 1:
        raise InputError("The field 'p_fits'", "must be a probability from 0 to 1", question.p_fits, where="p_fits")
    design = predictor.featurizer.parse(question.input)
    found = advise(predictor.hls, design, question.reuse_factors, question.weight_bits, question.p_fits).to_json()
    return AdviseAnswer(**found, svg=svg(found) if question.plot else None)


OPERATIONS = operations(
    KindOperation(
        "advise",
        "The Pareto front over reuse factor and width of the weights: latency against the share of the part",
        AdviseQuestion,
        AdviseAnswer,
        run,
    )
)
