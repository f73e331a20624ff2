"""``costmodel train --kind network``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from costmodel.distributed import connected
from costmodel.distributed.ranks import grouped
from costmodel.kinds import kind_of
from costmodel.paths import dataset_folder
from featurizers.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command. An empty value stands for the default, as `mlflow run` passes it."""
    parser.add_argument("--kind", default="network")
    parser.add_argument("--data", default="", help="dataset folder (default: the kind's own under ./datasets)")
    parser.add_argument("--learner", default="", help="default: the kind's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coverage", type=float, default=0.9, help="of the intervals (default: 0.9)")
    parser.add_argument("--tune", type=int, default=0, metavar="TRIALS", help="Optuna trials before the fit")
    parser.add_argument("--episodes", type=int, default=0, help="of the learner 'help' (default: the paper's 2000)")
    parser.add_argument("--device", action="append", default=[], help="train for this device only; may be repeated")
    parser.add_argument(
        "--include-feedback",
        nargs="?",
        const="true",
        default="false",
        choices=("true", "false", ""),
        help="measured values that were reported to the service join the data (COSTMODEL_DATABASE_URL)",
    )
    parser.add_argument(
        "--refit",
        nargs="?",
        const="true",
        default="false",
        choices=("true", "false", ""),
        help="judge on held-out subjects as always, then fit to every split what is written and registered",
    )
    parser.add_argument("--out", type=Path, help="write the bundle into this new or empty folder too")
    parser.add_argument("--scheduler", default="", help="of a Dask cluster that computes features and large fits")
    parser.add_argument("--no-track", action="store_true", help="do not log to MLflow or register")


def data_folder(kind: str, given: str) -> Path:
    """The dataset folder given, or the kind's own."""
    return Path(given) if given else dataset_folder(kind_of(kind).dataset)


def run(args: argparse.Namespace) -> int:
    """Train, log, and register; prints the accuracy table and what became of the champion."""
    from costmodel.evaluation.tables import format_table
    from costmodel.training import TrainRequest, train

    folder = data_folder(args.kind, args.data)
    feedback = args.include_feedback == "true"
    if args.kind == "network" and _is_few_shot(args.learner, folder):
        if feedback:
            raise InputError("'--include-feedback'", f"does not go with the learner '{args.learner}'")
        return _few_shot(args, folder)
    request = TrainRequest(
        kind=args.kind,
        data=folder,
        learner=args.learner or None,
        seed=args.seed,
        coverage=args.coverage,
        tune=args.tune,
        out=args.out,
        track=not args.no_track,
        devices=tuple(args.device),
        include_feedback=feedback,
        refit=args.refit == "true",
    )
    with connected(args.scheduler), grouped() as group:
        if group.rank:
            train(replace(request, out=None, track=False), log=_silent)
            return 0
        result = train(request)
    print(format_table(result.rows))
    if result.registered is not None:
        print(result.registered)
    return 0


def _silent(_: str) -> None:
    """Of the processes of one group the first speaks."""


def _is_few_shot(learner: str, folder: Path) -> bool:
    """Learners of a new device from few measurements read tables of many devices; `gnn` names one of either sort."""
    from costmodel.fewshot.train_run import spaces_in

    return learner in ("transfer", "meta", "help") or (learner == "gnn" and bool(spaces_in(folder)))


def _few_shot(args: argparse.Namespace, folder: Path) -> int:
    from costmodel.evaluation.tables import format_table
    from costmodel.fewshot.train_run import FewShotRequest, train_few_shot

    request = FewShotRequest(args.learner, folder, args.seed, args.out, not args.no_track, args.episodes or None)
    print(format_table(train_few_shot(request)))
    return 0
