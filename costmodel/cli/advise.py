"""``costmodel advise model.onnx --hls-config cfg.yml --part zcu102 --plot front.svg``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.inputs import Named, add_input_arguments, kind_asked, read_inputs
from costmodel.cli.output import number, print_error, print_json, print_table
from costmodel.wire import problem_of
from featurizers.errors import InputError

_COLUMNS = ("reuse_factor", "weight_bits", "latency_ns", "interval", "lut", "ff", "dsp", "bram_18k", "percent_of_part",
            "p_fits", "p_synthesis_succeeds")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_input_arguments(parser)
    parser.add_argument("--reuse-factors", metavar="N,N", help="to try (default: powers of two)")
    parser.add_argument("--weight-bits", metavar="N,N", help="widths to try (default: their own and less)")
    parser.add_argument("--p-fits", type=float, metavar="P", help="least probability to fit the part (default: 0.5)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the front into an .svg or .png file")
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the front of each input, fastest first; 1 if an input failed."""
    if args.plot is not None and args.plot.suffix not in (".svg", ".png"):
        raise InputError("The option --plot", "must name a file that ends in .svg or .png", str(args.plot))
    kind = kind_asked(args)
    inputs = list(read_inputs(args, kind))
    if not inputs or (args.plot is not None and len(inputs) > 1):
        raise InputError("The list of inputs", "must hold at least one input, and one alone for a plot", len(inputs))
    wishes = {"reuse_factors": _numbers(args.reuse_factors), "weight_bits": _numbers(args.weight_bits),
              "p_fits": args.p_fits}  # fmt: skip
    results: list[dict[str, Any]] = []
    with answering(args) as answers:
        for named in inputs:
            try:
                if isinstance(named.raw, InputError):
                    raise named.raw
                question = {"input": named.raw, **{name: wish for name, wish in wishes.items() if wish is not None}}
                advice = msgspec.to_builtins(answers.ask(kind.name, "advise", question))
            except InputError as error:
                results.append({"error": problem_of(error)})
                if not args.json:
                    print_error("advise", named.name, error)
                continue
            results.append({"advice": advice})
            _tell(args, named, advice)
    if args.json:
        print_json({"results": results})
    return 1 if any("error" in result for result in results) else 0


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError("The numbers to try", "must be whole ones, with commas between", text) from None


def _tell(args: argparse.Namespace, named: Named, advice: Mapping[str, Any]) -> None:
    if args.plot is not None:
        _draw(args.plot, advice)
    if args.json:
        return
    print(f"{named.name}: {len(advice['options'])} of {advice['tried']} options on {advice['part']}; latency in ns")
    if not advice["fits"]:
        print("None of them is likely to fit the part and to synthesise; these come nearest.")
    for sentence in advice["notes"]:
        print(f"note: {sentence}")
    print_table(_COLUMNS, [tuple(_cell(option[key]) for key in _COLUMNS) for option in advice["options"]])


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _draw(path: Path, advice: Mapping[str, Any]) -> None:
    from costmodel.hls4ml.plot import png, svg

    if path.suffix == ".svg":
        path.write_text(svg(advice))
        return
    try:
        path.write_bytes(png(advice))
    except ImportError:
        raise InputError("A plot as .png", "needs the package matplotlib; an .svg needs nothing", str(path)) from None
