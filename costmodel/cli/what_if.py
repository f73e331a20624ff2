"""``costmodel what-if host.json --scale l3_mb=2 --add memory_mts=1000``."""

from __future__ import annotations

import argparse

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.machine import add_machine_arguments, machine_asked, numbers
from costmodel.cli.output import number, print_json, print_table

_HEADER = ("benchmark", "before", "after", "unit", "better", "change", "interval")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_machine_arguments(parser)
    for name, told in (("set", "to this"), ("scale", "times this"), ("add", "plus this")):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="FIELD=NUMBER", help=f"a field {told}; may be repeated"
        )
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the change of each benchmark, and what the data do not support."""
    changes = {name: numbers(name, getattr(args, name)) for name in ("set", "scale", "add")}
    question = {"input": machine_asked(args), **changes, "targets": args.target}
    with answering(args) as answers:
        answer = answers.ask("cpu", "what-if", question)
    if args.json:
        print_json(answer)
        return 0
    for name, value in answer.after.items():
        print(f"{name}: {'unknown' if answer.before[name] is None else number(answer.before[name])} -> {number(value)}")
    rows = [
        (
            c.target, number(c.before.value), number(c.after.value), c.after.unit,
            "higher" if c.after.higher_is_better else "lower",
            f"{c.ratio - 1:+.1%}", f"{c.ratio_low - 1:+.1%} .. {c.ratio_high - 1:+.1%} ({c.after.coverage:.0%})",
        )
        for c in answer.changes
    ]  # fmt: skip
    print_table(_HEADER, rows)
    for warning in dict.fromkeys(warning for change in answer.changes for warning in change.warnings):
        print(f"warning: {warning}")
    return 0
