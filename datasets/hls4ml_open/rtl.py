"""Designs as Verilog: da4ml's adder trees, and dense layers that share multipliers as in the resource strategy."""

from __future__ import annotations

import itertools
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from designs import weights

_SHARED = ("binop", "lookup_table", "multiplier", "mux", "negative", "shift_adder")


def write_rtl(design: dict[str, Any], folder: Path) -> tuple[list[Path], int]:
    """(source files, cycles from input to output) of a design, whose top module is ``d{number}``."""
    if design["family"] == "reuse-dense":
        return _write_reuse(design, folder)
    return _write_distributed(design, folder)


def _write_distributed(design: dict[str, Any], folder: Path) -> tuple[list[Path], int]:
    from da4ml.codegen import RTLModel
    from da4ml.trace import FixedVariableArrayInput, comb_trace

    shape = tuple(design["image"]) if "image" in design else (design["sizes"][0],)
    entered = FixedVariableArrayInput(shape)
    fraction = design["input_bits"] - 1
    values = entered.quantize(np.ones(shape, int), np.zeros(shape, int), np.full(shape, fraction))
    for layer, (n_in, n_out) in enumerate(layer_shapes(design)):
        matrix = weights(design, layer, (n_in, n_out)) / 2.0 ** (design["weight_bits"] - 1)
        values = _rows(values, design) @ matrix
        values = values.relu(np.full(values.shape, 3), np.full(values.shape, max(fraction, 1)))
    logic = comb_trace(entered, values)
    name, cutoff = f"d{design['number']}", design["latency_cutoff"]
    model = RTLModel(logic, name, folder, flavor="verilog", latency_cutoff=cutoff, print_latency=False)
    model.write()
    sources = [path for path in sorted((folder / "src").rglob("*.v")) if not path.name.endswith("_wrapper.v")]
    pipeline = getattr(model, "_pipe", None)
    return sources, 0 if pipeline is None else len(pipeline.solutions)


def layer_shapes(design: dict[str, Any]) -> list[tuple[int, int]]:
    """Rows and columns of each layer's matrix."""
    if "image" in design:
        return [(design["kernel"][0] * design["kernel"][1] * design["image"][2], design["filters"])]
    return list(itertools.pairwise(design["sizes"]))


def _rows(values: Any, design: dict[str, Any]) -> Any:
    """A convolution's windows, one row each; a dense layer's values as they are."""
    if "image" not in design:
        return values
    (height, width, channels), (kh, kw) = design["image"], design["kernel"]
    places = np.arange(height * width * channels).reshape(height, width, channels)
    windows = [
        places[top : top + kh, left : left + kw].ravel()
        for top in range(height - kh + 1)
        for left in range(width - kw + 1)
    ]
    return values.reshape(-1)[np.array(windows)]


def _write_reuse(design: dict[str, Any], folder: Path) -> tuple[list[Path], int]:
    name, bits = f"d{design['number']}", design["input_bits"]
    sizes, factors = design["sizes"], design["reuse_factors"]
    modules, links = [], []
    for layer, ((n_in, n_out), reuse) in enumerate(zip(layer_shapes(design), factors, strict=True)):
        matrix = weights(design, layer, (n_in, n_out))
        modules.append(reuse_layer(f"{name}_l{layer}", matrix, reuse, design["weight_bits"], bits))
        links.append(
            f"wire [{n_out * bits - 1}:0] y{layer}; wire done{layer};\n"
            f"{name}_l{layer} l{layer}(clk, {f'done{layer - 1}' if layer else 'start'}, "
            f"{f'y{layer - 1}' if layer else 'x'}, y{layer}, done{layer});"
        )
    last = len(factors) - 1
    top = (
        f"module {name} (input clk, input start, input [{sizes[0] * bits - 1}:0] x, "
        f"output [{sizes[-1] * bits - 1}:0] y, output done);\n"
        + "\n".join(links)
        + f"\nassign y = y{last}; assign done = done{last};\nendmodule\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.v"
    path.write_text(top + "\n".join(modules))
    return [path], sum(factors) + 4 * len(factors)


def reuse_layer(name: str, matrix: npt.NDArray[np.int64], reuse: int, weight_bits: int, bits: int) -> str:
    """One dense layer with relu: ``n_in * n_out / reuse`` multipliers, each with `reuse` weights from one memory.

    Multiplier m meets weight ``m * reuse + step`` (column by column) in step `step`, as in hls4ml's
    ``dense_resource``: below n_in it serves one output, above it several, one after the other.
    """
    n_in, n_out = matrix.shape
    flat = matrix.T.ravel()
    count = n_in * n_out // reuse
    steps, accumulator = max(ceil(log2(reuse)), 1), bits + weight_bits + ceil(log2(n_in))
    word, many, turns = count * weight_bits, max(reuse // n_in, 1), min(reuse, n_in)
    memory = "\n".join(
        f"    rom[{step}] = {word}'h{_packed([int(flat[m * reuse + step]) for m in range(count)], weight_bits):x};"
        for step in range(reuse)
    )
    body = [
        f"module {name} (input clk, input start, input [{n_in * bits - 1}:0] x, "
        f"output reg [{n_out * bits - 1}:0] y, output reg done);",
        f"reg [{n_in * bits - 1}:0] held; reg [{steps - 1}:0] step, step1, step2; reg busy, busy1, busy2, last;",
        f"reg [{steps - 1}:0] turn, block, block1, block2;",
        f"reg [{word - 1}:0] rom [0:{reuse - 1}]; reg [{word - 1}:0] w;",
        f"initial begin\n{memory}\nend",
        *(f"reg signed [{bits - 1}:0] a{m}; reg signed [{bits + weight_bits - 1}:0] p{m};" for m in range(count)),
        *(f"reg signed [{accumulator - 1}:0] s{o};" for o in range(n_out)),
        "always @(posedge clk) begin",
        f"  if (start) begin held <= x; step <= 0; busy <= 1; end else if (step == {reuse - 1}) busy <= 0;"
        " else step <= step + 1;",
        f"  if (start) begin turn <= 0; block <= 0; end else if (turn == {turns - 1}) begin turn <= 0;"
        " block <= block + 1; end else turn <= turn + 1;",
        "  block1 <= block; block2 <= block1;",
        "  busy1 <= busy & ~start; step1 <= step; busy2 <= busy1; step2 <= step1; w <= rom[step];",
        f"  last <= busy2 & (step2 == {reuse - 1}); done <= last;",
        *(_multiplier(m, n_in, reuse, bits, weight_bits) for m in range(count)),
        *(_sum(o, n_in, n_out, reuse, many) for o in range(n_out)),
        *(
            f"  y[{(o + 1) * bits - 1}:{o * bits}] <= s{o}[{accumulator - 1}] ? 0 : "
            f"s{o}[{weight_bits + bits - 2}:{weight_bits - 1}];"
            for o in range(n_out)
        ),
        "end",
        "endmodule\n",
    ]
    return "\n".join(body)


def _multiplier(m: int, n_in: int, reuse: int, bits: int, weight_bits: int) -> str:
    first = (m * reuse) % n_in
    inputs = [(first + step) % n_in for step in range(min(reuse, n_in))]
    cases = " ".join(f"{step}: a{m} <= held[{(i + 1) * bits - 1}:{i * bits}];" for step, i in enumerate(inputs))
    weight = f"$signed(w[{(m + 1) * weight_bits - 1}:{m * weight_bits}])"
    return f"  case (turn) {cases} default: a{m} <= 0; endcase p{m} <= a{m} * {weight};"


def _sum(output: int, n_in: int, n_out: int, reuse: int, many: int) -> str:
    if many == 1 and reuse <= n_in:
        served = range(output * n_in // reuse, (output + 1) * n_in // reuse)
        return f"  s{output} <= (start ? 0 : s{output}) + (busy2 ? {' + '.join(f'p{m}' for m in served)} : 0);"
    m, turn = output // many, output % many
    is_ours = f"busy2 & (block2 == {turn})"
    return f"  s{output} <= start ? 0 : ({is_ours}) ? s{output} + p{m} : s{output};"


def _packed(values: list[int], bits: int) -> int:
    return sum((value & ((1 << bits) - 1)) << (place * bits) for place, value in enumerate(values))
