"""Build this data set: sample networks, measure them on this host's devices, write the tables.

    python datasets/host_networks/build.py --work-dir DIR

Takes one to two hours on two cores; a measuring process may be killed at any moment, and running the same command
again goes on where it stopped. On another CPU model use another work directory and another --data directory.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from costmodel.measure.recipe import Plan, assemble, measure, prepare, report_table, supervise  # noqa: E402

RESTART_CODE = 75


def parse(arguments: list[str]) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True, help="prepared models and raw measurements (30 GB)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where the tables go")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--measure-core", type=int, help="the core that measuring has for itself")
    parser.add_argument("--prepare-core", type=int)
    parser.add_argument("--hours", type=float, help="stop measuring after this time (default: when all is measured)")
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=("all", "prepare", "measure", "assemble"), default="all")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the step that is asked for; `all` runs the others as processes of their own."""
    args = parse(arguments)
    deadline = time.time() + args.hours * 3600 if args.hours and not args.deadline else args.deadline
    plan = Plan(
        args.work_dir, args.data, args.networks, args.rounds, args.seed, args.measure_core, args.prepare_core, deadline
    )
    if args.step == "prepare":
        prepare(plan)
    elif args.step == "measure":
        return 0 if measure(plan) else RESTART_CODE
    else:
        if args.step == "all":
            plan.specs()
            extra = ["--deadline", str(deadline)] if deadline else []
            supervise([__file__, *arguments, *extra], args.work_dir)
        print(report_table(assemble(plan, HERE / "dataset.yaml")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
