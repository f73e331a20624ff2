"""Which reuse factor and precision? The Pareto front of latency against resources, within the part's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.hls4ml.model import DesignAnswer, HlsModel
from featurizers.errors import InputError, LimitError
from featurizers.hls4ml import HlsDesign, HlsLayer, Precision, closest_reuse_factor, valid_reuse_factors

MAX_CANDIDATES = 2_000
_REUSE = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True, slots=True)
class Option:
    """One way to build the design. reuse_factor : asked of every layer (each takes its nearest valid one).

    weight_bits : None keeps the weights' types. cost : largest share of the part that any resource takes, in percent.
    """

    reuse_factor: int
    weight_bits: int | None
    design: HlsDesign
    answer: DesignAnswer
    cost: float

    def row(self) -> dict[str, Any]:
        """As one line of a table."""
        values = {p.target: p.value for p in self.answer.predictions}
        built = [layer.reuse_factor for layer in self.design.layers if layer.n_in]
        return {
            "reuse_factor": self.reuse_factor,
            "built_reuse": built,
            "weight_bits": self.weight_bits,
            "latency_ns": round(self.answer.latency_ns[0], 1),
            "cycles": values["cycles_max"],
            "interval": values["interval"],
            "lut": values["lut_csynth"],
            "ff": values["ff_csynth"],
            "dsp": values["dsp_csynth"],
            "bram": values["bram_csynth"],
            "percent_of_part": round(self.cost, 2),
            "p_fits": self.answer.fits,
            "p_synthesis_succeeds": round(self.answer.synthesises, 4),
        }


def advise(
    model: HlsModel,
    design: HlsDesign,
    reuse_factors: Sequence[int] | None = None,
    weight_bits: Sequence[int] | None = None,
    p_fits: float = 0.5,
) -> tuple[Option, ...]:
    """Options that no other one beats in latency and in the share of the part, fastest first.

    reuse_factors : to try; powers of two up to the largest possible one when left out. weight_bits : widths of the
    weights to try, their integer bits kept. Options below `p_fits` and those unlikely to synthesise are left out,
    unless nothing is left. Raises InputError for a design without a part.
    """
    if design.board is None:
        raise InputError("The part", "must be given: advice is held against its limits", where="part")
    factors = _factors(design) if reuse_factors is None else sorted(set(reuse_factors))
    widths: Sequence[int | None] = [None] if weight_bits is None else sorted(set(weight_bits))
    pairs = [(factor, bits) for factor in factors for bits in widths]
    if not pairs or min(factors) < 1 or any(bits is not None and bits < 1 for bits in widths):
        raise InputError("The reuse factors and weight bits to try", "must be whole numbers of at least 1", pairs[:5])
    if len(pairs) > MAX_CANDIDATES:
        raise LimitError("The combinations to try", f"must be at most {MAX_CANDIDATES}", len(pairs))
    variants = [variant(design, factor, bits) for factor, bits in pairs]
    answers = model.predict(variants)
    options = [
        Option(factor, bits, built, answer, _cost(answer))
        for (factor, bits), built, answer in zip(pairs, variants, answers, strict=True)
    ]
    likely = [o for o in options if (o.answer.fits or 0.0) >= p_fits and o.answer.synthesises >= 0.5]
    return pareto(likely or options)


def _factors(design: HlsDesign) -> list[int]:
    largest = max(
        (valid_reuse_factors(layer.n_in, layer.n_out)[-1] for layer in design.layers if layer.n_in), default=1
    )
    return [factor for factor in _REUSE if factor <= largest] or [1]


def variant(design: HlsDesign, reuse_factor: int, weight_bits: int | None) -> HlsDesign:
    """The design with another reuse factor (resource strategy above 1) and another width of its weights."""
    layers = tuple(_variant_layer(layer, reuse_factor, weight_bits) for layer in design.layers)
    return replace(design, layers=layers, notes=())


def _variant_layer(layer: HlsLayer, reuse_factor: int, weight_bits: int | None) -> HlsLayer:
    if not layer.n_in:
        return layer
    built = closest_reuse_factor(layer.n_in, layer.n_out, reuse_factor)
    weight = layer.weight if weight_bits is None else _resized(layer.weight, weight_bits)
    strategy = "resource" if built > 1 else layer.strategy
    return replace(layer, reuse_factor=built, reuse_requested=reuse_factor, weight=weight, strategy=strategy)


def _resized(precision: Precision, width: int) -> Precision:
    return replace(precision, width=width, integer=min(precision.integer, width))


def _cost(answer: DesignAnswer) -> float:
    return max((share for name, share in answer.percent.items() if name.endswith("_csynth")), default=0.0)


def pareto(options: Sequence[Option]) -> tuple[Option, ...]:
    """Those for which no other one is at least as fast and as small, and better in one; wider weights break ties."""
    ordered = sorted(options, key=lambda o: (o.answer.latency_ns[0], o.cost, -(o.weight_bits or 0)))
    front: list[Option] = []
    for option in ordered:
        if not front or option.cost < front[-1].cost - 1e-12:
            front.append(option)
    return tuple(front)


def as_table(options: Sequence[Option]) -> list[dict[str, Any]]:
    """The front as rows for JSON or a table."""
    return [option.row() for option in options]


def plot(options: Sequence[Option]) -> bytes:
    """The front as an SVG picture: latency against the largest share of the part."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    latency: npt.NDArray[np.float64] = np.array([option.answer.latency_ns[0] for option in options])
    axes.plot(latency, [option.cost for option in options], marker="o")
    for option in options:
        bits = "" if option.weight_bits is None else f", {option.weight_bits} bit"
        axes.annotate(f"RF {option.reuse_factor}{bits}", (option.answer.latency_ns[0], option.cost), fontsize=7)
    axes.set(xlabel="latency (ns)", ylabel="largest share of the part (%)", xscale="symlog", yscale="log")
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def summarise(options: Sequence[Option]) -> Mapping[str, Any]:
    """Fastest and smallest of a front."""
    return {"fastest": options[0].row(), "smallest": options[-1].row()} if options else {}
