"""``costmodel rank a.onnx b.onnx --device X``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.inputs import add_input_arguments, kind_asked, read_inputs
from costmodel.cli.output import interval, note, number, print_error, print_json, print_table
from costmodel.predictor import Ranked
from costmodel.wire import FailedInput, RankAnswer, problem_of
from featurizers.errors import InputError

_HEADER = ("place", "input", "value", "unit", "interval", "better than next", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_input_arguments(parser)
    parser.add_argument("--device", "--cpu", default="", help="may be left out for kinds that have a default")
    parser.add_argument("--target", help="the quantity to rank by (default: the device's first)")
    parser.add_argument(
        "--weight", action="append", default=[], metavar="TARGET=W", help="rank by a weighted mix; may be repeated"
    )
    add_answering_arguments(parser)


def _weights(texts: Sequence[str]) -> dict[str, float] | None:
    """``TARGET=W`` options; a target's own name may hold an equals sign."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, weight = text.rpartition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            raise InputError("The option --weight", "must be TARGET=W with W a number", text) from None
    return found or None


def run(args: argparse.Namespace) -> int:
    """Print the ranking; 1 if an input failed."""
    kind = kind_asked(args)
    inputs = list(read_inputs(args, kind))
    errors = {i: named.raw for i, named in enumerate(inputs) if isinstance(named.raw, InputError)}
    readable = {i: named.raw for i, named in enumerate(inputs) if not isinstance(named.raw, InputError)}
    if not inputs:
        raise InputError("The list of inputs", "must hold at least one input", 0)
    places = list(readable)
    ranking: list[Ranked] = []
    if readable:
        with answering(args) as answers:
            ranked, failed = answers.rank(
                kind.name, list(readable.values()), args.device, args.target, _weights(args.weight)
            )
        ranking = [replace(entry, index=places[entry.index]) for entry in ranked]
        errors |= {places[i]: error for i, error in failed.items()}
    if args.json:
        print_json(RankAnswer(ranking, [FailedInput(i, problem_of(errors[i], index=i)) for i in sorted(errors)]))
        return 1 if errors else 0
    for i in sorted(errors):
        print_error("rank", inputs[i].name, errors[i])
    if ranking:
        print_table(_HEADER, [_row(entry, inputs[entry.index].name) for entry in ranking])
    return 1 if errors else 0


def _row(entry: Ranked, name: str) -> tuple[str, ...]:
    p = entry.prediction
    chance = "" if entry.p_better_than_next is None else f"{entry.p_better_than_next:.0%}"
    return (str(entry.place + 1), name, number(p.value), p.unit, interval(p), chance, note(p))
