"""The front of an advice as a picture: plain SVG, which needs no plotting library; PNG by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 420, 70, 50, 30, 130
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by colour-blind eyes (Okabe and Ito)."""

_LEAST = 1e-3
X_LABEL, Y_LABEL = "latency (ns)", "largest share of the part (%)"


def svg(advice: Mapping[str, Any]) -> str:
    """Latency against the largest share of the part, both logarithmic; a colour for each width of the weights.

    advice : as `Advice.to_json` gives it. A line marks 100 % of the part where the front comes near it.
    """
    options = advice["options"]
    x = _Axis([option["latency_ns"] for option in options], _LEFT, _WIDTH - _RIGHT)
    y = _Axis([option["percent_of_part"] for option in options], _HEIGHT - _BOTTOM, _TOP)
    widths = sorted({option["weight_bits"] for option in options}, reverse=True)
    body = [_grid(x, y), *(_legend(bits, place) for place, bits in enumerate(widths))]
    if y.holds(100.0):
        body.append(_line(_LEFT, y(100.0), _WIDTH - _RIGHT, y(100.0), "#c00", "6 3"))
    for place, bits in enumerate(widths):
        body += _series([o for o in options if o["weight_bits"] == bits], x, y, _colour(place))
    title = f"{advice['part']}: {len(options)} of {advice['tried']} options that no other one beats"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>{_text(_LEFT, 18, title)}{"".join(body)}</svg>'
    )


class _Axis:
    """A value's place on a logarithmic axis from whole decade to whole decade."""

    def __init__(self, values: Sequence[float], start: float, end: float):
        self.low = floor(log10(max(min(values), _LEAST)))
        self.high = max(ceil(log10(max(max(values), _LEAST))), self.low + 1)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (log10(max(value, _LEAST)) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def holds(self, value: float) -> bool:
        return self.low <= log10(value) <= self.high

    def decades(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _grid(x: _Axis, y: _Axis) -> str:
    vertical = [
        _line(x(v), _TOP, x(v), _HEIGHT - _BOTTOM, "#ddd") + _text(x(v), _HEIGHT - _BOTTOM + 15, f"{v:g}", "middle")
        for v in x.decades()
    ]
    level = [_line(_LEFT, y(v), _WIDTH - _RIGHT, y(v), "#ddd") + _text(_LEFT - 6, y(v) + 4, f"{v:g}", "end")
             for v in y.decades()]  # fmt: skip
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    names = _text(middle, _HEIGHT - 12, X_LABEL, "middle") + (
        f'<text transform="translate(16 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{Y_LABEL}</text>"
    )
    return "".join(vertical + level) + names


def _series(options: Sequence[Mapping[str, Any]], x: _Axis, y: _Axis, colour: str) -> list[str]:
    points = [(x(option["latency_ns"]), y(option["percent_of_part"])) for option in options]
    path = " ".join(f"{a},{b}" for a, b in points)
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}"/>']
    for option, (a, b) in zip(options, points, strict=True):
        told = f"reuse factor {option['reuse_factor']}, {option['weight_bits']} bit: {option['latency_ns']:g} ns"
        fill = colour if option["in_domain"] else "white"
        drawn.append(f'<circle cx="{a}" cy="{b}" r="4" fill="{fill}" stroke="{colour}"><title>{told}</title></circle>')
        drawn.append(_text(a + 6, b - 5, f"RF {option['reuse_factor']}"))
    return drawn


def _legend(bits: int, place: int) -> str:
    top = _TOP + 14 + 16 * place
    return f'<circle cx="{_WIDTH - _RIGHT + 16}" cy="{top - 4}" r="4" fill="{_colour(place)}"/>' + _text(
        _WIDTH - _RIGHT + 26, top, f"{bits} bit weights"
    )


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-dasharray="{dash}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def png(advice: Mapping[str, Any]) -> bytes:
    """The same as PNG. ImportError without matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    options = advice["options"]
    for bits in sorted({option["weight_bits"] for option in options}, reverse=True):
        own = [option for option in options if option["weight_bits"] == bits]
        latency, share = ([option[key] for option in own] for key in ("latency_ns", "percent_of_part"))
        axes.plot(latency, share, marker="o", label=f"{bits} bit weights")
        for option in own:
            axes.annotate(f"RF {option['reuse_factor']}", (option["latency_ns"], option["percent_of_part"]), fontsize=7)
    axes.set(xlabel=X_LABEL, ylabel=Y_LABEL, xscale="log", yscale="log", title=advice["part"])
    axes.legend()
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
