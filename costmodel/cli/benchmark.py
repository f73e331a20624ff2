"""``costmodel benchmark serving --json out.json``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from costmodel.benchmarks import BENCHMARKS, benchmark, machine, settings_of
from costmodel.evaluation.tables import format_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--data", type=Path, help="folder of public data that the benchmark reads")
    parser.add_argument("--mirror", type=Path, help="folder of files that the benchmark would otherwise download")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the benchmark")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write benchmark, machine, rows and summary here")


def run(args: argparse.Namespace) -> int:
    """Run it, print rows and summary as tables."""
    found = benchmark(args.name)
    result = found(args.data, args.mirror, **settings_of(found, args.set))
    print(format_table(result["rows"]))
    print()
    for learner, devices in result.get("trained_on", {}).items():
        print(f"{learner} was trained on {', '.join(devices)}.")
    if result.get("missing"):
        print(f"Not in the tables: {', '.join(result['missing'])}.")
    print(format_table([{"figure": name, "value": value} for name, value in result["summary"].items()]))
    if args.json is not None:
        content = {"benchmark": result["benchmark"], "machine": machine(), **result}
        args.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0
