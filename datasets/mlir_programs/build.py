"""Build this data set: generate programs, label them by the tools of LLVM 22, write the tables.

    python datasets/mlir_programs/build.py --work-dir DIR --jobs 2

Needs ``apt-get install mlir-22-tools llvm-22`` (the versions are checked). A third to half a CPU-second a program;
killed and started again it goes on where it stopped. ``--step`` runs one of: plan, label, gpu, host, iree,
assemble; restore fills an empty work folder from the tables. The step ``iree`` needs iree-base-runtime 3.13, the
families ``torch_graph`` and ``torch_block`` torch-mlir, both beside the project's own packages (README.md).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from costmodel.distributed import connected  # noqa: E402
from costmodel.mlir.labelling import iree, missing_tools, tool_versions  # noqa: E402
from costmodel.mlir.labelling.campaign import (  # noqa: E402
    FULL_ROUNDS,
    all_families,
    plan,
    plan_given,
    work,
    work_gpu,
    work_host,
    work_iree,
)
from costmodel.mlir.labelling.dataset import assemble, summary  # noqa: E402
from costmodel.mlir.labelling.restore import restore  # noqa: E402
from costmodel.mlir.labelling.tools import INSTALL  # noqa: E402
from costmodel.passes.mlir.nests import for_training  # noqa: E402


def parse(arguments: list[str]) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True, help="programs and labels so far (some 100 MB)")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where the tables go")
    parser.add_argument("--jobs", type=int, default=1, help="processes that label")
    parser.add_argument("--scheduler", help="of a Dask cluster whose workers label (they need the tools too)")
    parser.add_argument("--rounds", type=int, nargs=2, default=(0, 60), metavar=("FIRST", "END"), help="rounds to plan")
    parser.add_argument("--families", nargs="*", default=[], help="to plan, and to label for GPUs (default: all)")
    parser.add_argument("--nests", type=int, default=170, help="of a family, in every way that a pass may choose")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--full-rounds", type=int, default=FULL_ROUNDS, help="rounds that are labelled for every CPU")
    parser.add_argument("--cpus-per-group", type=int, default=2, help="CPUs of a group in the other rounds")
    parser.add_argument("--host-programs", type=int, default=2500, help="programs that are run on this host")
    parser.add_argument("--hours", type=float, help="stop labelling after this time (default: when all is labelled)")
    parser.add_argument(
        "--step", choices=("all", "plan", "label", "gpu", "host", "iree", "assemble", "restore"), default="all"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the step that is asked for."""
    args = parse(arguments)
    missing = missing_tools()
    if missing and args.step not in ("assemble", "restore"):
        print(f"missing: {', '.join(missing)}. {INSTALL}", file=sys.stderr)
        return 2
    if args.step == "restore":
        print(f"{restore(args.data, args.work_dir)} programs restored", file=sys.stderr)
    if args.step in ("all", "plan"):
        print(", ".join(f"{tool} {version}" for tool, version in tool_versions().items()), file=sys.stderr)
        added = plan(
            args.work_dir,
            args.families or all_families(),
            range(*args.rounds),
            args.seed,
            full_rounds=args.full_rounds,
            cpus_per_group=args.cpus_per_group,
        )
        added += plan_given(args.work_dir, for_training(args.nests, args.seed), args.rounds[1], args.cpus_per_group)
        print(f"{added} programs planned", file=sys.stderr)
    deadline = time.time() + args.hours * 3600 if args.hours else None
    if args.step in ("all", "label"):
        with connected(args.scheduler):
            work(args.work_dir, jobs=args.jobs, deadline=deadline)
    if args.step in ("all", "gpu"):
        work_gpu(args.work_dir, args.families, deadline=deadline)
    if args.step in ("all", "host"):
        work_host(args.work_dir, args.host_programs, deadline=deadline)
    if args.step == "all" and iree.missing():
        print(f"left out: IREE ({', '.join(iree.missing())} missing. {iree.INSTALL})", file=sys.stderr)
    elif args.step in ("all", "iree"):
        work_iree(args.work_dir, args.host_programs, deadline=deadline)
    if args.step in ("all", "assemble"):
        rows = assemble(args.work_dir, args.data, HERE / "dataset.yaml")
        print(summary(args.work_dir))
        print(", ".join(f"{name}: {count} rows" for name, count in rows.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
