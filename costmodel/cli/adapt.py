"""``costmodel adapt host.json --known 'passmark:CPU_SINGLETHREAD=2900'``."""

from __future__ import annotations

import argparse

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.machine import add_machine_arguments, machine_asked, numbers
from costmodel.cli.output import interval, note, number, print_json, print_table

_HEADER = ("benchmark", "value", "unit", "better", "interval", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_machine_arguments(parser)
    parser.add_argument(
        "--known", action="append", default=[], metavar="BENCHMARK=SCORE", help="a measured score; may be repeated"
    )
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print every other benchmark of the machine."""
    question = {"input": machine_asked(args), "known": numbers("known", args.known), "targets": args.target}
    with answering(args) as answers:
        answer = answers.ask("cpu", "adapt", question)
    if args.json:
        print_json(answer)
        return 0
    rows = [
        (p.target, number(p.value), p.unit, "higher" if p.higher_is_better else "lower", interval(p), note(p))
        for p in answer.predictions
    ]
    print_table(_HEADER, rows)
    if answer.suggested:
        print(f"Say most about the others, and take a minute: {', '.join(answer.suggested)}")
    return 0
