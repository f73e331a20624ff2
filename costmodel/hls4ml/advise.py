"""Which reuse factor and precision? The Pareto front of latency against resources, within the part's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.hls4ml.answers import DesignAnswer
from costmodel.hls4ml.forms import HLS_TARGETS, RESOURCES
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.plot import svg
from featurizers.errors import InputError, LimitError
from featurizers.hls4ml import HlsDesign, HlsLayer, Precision, closest_reuse_factor, valid_reuse_factors

MAX_CANDIDATES = 2_000
_REUSE = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_NARROWER = (0, 2, 4, 6, 8)
"""Bits taken from the weights where nothing else is asked: their own width, and what is left of it."""

_LEAST_BITS = 4
_LIKELY = 0.5
_SHORT = {"lut": "lut_csynth", "ff": "ff_csynth", "dsp": "dsp_csynth", "bram_18k": "bram_csynth"}


@dataclass(frozen=True, slots=True)
class Option:
    """One way to build the design. reuse_factor : asked of every layer (each takes its nearest valid one).

    weight_bits : of the layer with the widest weights. cost : largest share of the part that any resource takes, in
    percent.
    """

    reuse_factor: int
    weight_bits: int
    design: HlsDesign
    answer: DesignAnswer
    cost: float

    def row(self) -> dict[str, Any]:
        """As one line of a table: latencies in ns, the interval in cycles, resources in counts."""
        by_name = {p.target: p for p in self.answer.predictions}
        latency = by_name["latency_ns"]
        return {
            "reuse_factor": self.reuse_factor,
            "built_reuse_factors": [layer.reuse_factor for layer in self.design.layers if layer.n_in],
            "weight_bits": self.weight_bits,
            "latency_ns": latency.value,
            "latency_ns_low": latency.low,
            "latency_ns_high": latency.high,
            "cycles": by_name["cycles_max"].value,
            "interval": by_name["interval"].value,
            **{short: by_name[name].value for short, name in _SHORT.items()},
            "percent_of_part": round(self.cost, 2),
            "p_fits": None if self.answer.fits is None else round(self.answer.fits, 4),
            "p_synthesis_succeeds": round(self.answer.synthesises, 4),
            "in_domain": latency.in_domain,
        }


@dataclass(frozen=True, slots=True)
class Advice:
    """The front, fastest first. fits : whether its options are likely to fit the part and to synthesise; when none
    is, the options are the best of those that are not. tried : how many were compared. A notebook shows the plot.
    """

    part: str
    options: tuple[Option, ...]
    fits: bool
    tried: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """In JSON types, with the part's limits."""
        board = self.options[0].design.board
        assert board is not None, "advice is given for a part"
        limits = {short: HLS_TARGETS[name].limit(board) for short, name in _SHORT.items()}
        return {
            "part": self.part,
            "limits": limits,
            "fits": self.fits,
            "tried": self.tried,
            "notes": list(self.notes),
            "options": [option.row() for option in self.options],
        }

    def _repr_svg_(self) -> str:
        return svg(self.to_json())


def advise(
    model: HlsModel,
    design: HlsDesign,
    reuse_factors: Sequence[int] | None = None,
    weight_bits: Sequence[int] | None = None,
    p_fits: float = _LIKELY,
) -> Advice:
    """Options that no other one beats: at most its latency and share of the part, and at least its bits.

    reuse_factors : to try; powers of two up to the largest possible one when left out. weight_bits : widths of the
    weights to try, their integer bits kept; their own and up to 8 bits less when left out. Options less likely to fit
    than `p_fits`, and those unlikely to synthesise, are left out unless nothing is left. Raises InputError for a
    design without a part.
    """
    if design.board is None:
        raise InputError("The part", "must be given: advice is held against its limits", where="part")
    pairs = _pairs(design, reuse_factors, weight_bits)
    variants = [variant(design, factor, bits) for factor, bits in pairs]
    options = [
        Option(factor, bits, built, answer, _cost(answer))
        for (factor, bits), built, answer in zip(pairs, variants, model.predict(variants), strict=True)
    ]
    likely = [o for o in options if (o.answer.fits or 0.0) >= p_fits and o.answer.synthesises >= _LIKELY]
    return Advice(design.board.part, pareto(likely or options), bool(likely), len(options), design.notes)


def _pairs(
    design: HlsDesign, reuse_factors: Sequence[int] | None, weight_bits: Sequence[int] | None
) -> list[tuple[int, int]]:
    factors = _factors(design) if reuse_factors is None else sorted(set(reuse_factors))
    widths = _widths(design) if weight_bits is None else sorted(set(weight_bits))
    if not factors or not widths or factors[0] < 1 or widths[0] < 1:
        rule = "must be whole numbers of at least 1"
        raise InputError("The reuse factors and weight bits to try", rule, [factors[:3], widths[:3]])
    if len(factors) * len(widths) > MAX_CANDIDATES:
        raise LimitError(
            "The combinations to try", f"must be at most {MAX_CANDIDATES}", len(factors) * len(widths)
        )  # fmt: skip
    return [(factor, bits) for factor in factors for bits in widths]


def _factors(design: HlsDesign) -> list[int]:
    largest = max(
        (valid_reuse_factors(layer.n_in, layer.n_out)[-1] for layer in design.layers if layer.n_in), default=1
    )
    return [factor for factor in _REUSE if factor <= largest] or [1]


def _widths(design: HlsDesign) -> list[int]:
    own = max((layer.weight.width for layer in design.layers if layer.n_in), default=16)
    return [own - less for less in _NARROWER if less == 0 or own - less >= _LEAST_BITS]


def variant(design: HlsDesign, reuse_factor: int, weight_bits: int) -> HlsDesign:
    """The design with another reuse factor (resource strategy above 1) and weights of at most another width."""
    layers = tuple(_variant_layer(layer, reuse_factor, weight_bits) for layer in design.layers)
    return replace(design, layers=layers, notes=())


def _variant_layer(layer: HlsLayer, reuse_factor: int, weight_bits: int) -> HlsLayer:
    if not layer.n_in:
        return layer
    built = closest_reuse_factor(layer.n_in, layer.n_out, reuse_factor)
    strategy = "resource" if built > 1 else layer.strategy
    return replace(
        layer, reuse_factor=built, reuse_requested=reuse_factor, weight=_resized(layer.weight, weight_bits),
        strategy=strategy,
    )  # fmt: skip


def _resized(precision: Precision, width: int) -> Precision:
    return replace(precision, width=width, integer=min(precision.integer, width))


def _cost(answer: DesignAnswer) -> float:
    return max(answer.percent[name] for name in RESOURCES["csynth"] if name in answer.percent)


def pareto(options: Sequence[Option]) -> tuple[Option, ...]:
    """Those that no other one beats in latency, share of the part and width of the weights, fastest first.

    Two that are alike in all three (the same factors are built) count once, under the smaller request.
    """
    ordered = sorted(options, key=lambda o: (o.answer.latency_ns[0], o.cost, -o.weight_bits, o.reuse_factor))
    front: list[Option] = []
    for option in ordered:
        if not any(kept.cost <= option.cost and kept.weight_bits >= option.weight_bits for kept in front):
            front.append(option)
    return tuple(front)
