"""``costmodel predict model.onnx --device X --dim batch=1``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

import msgspec

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.inputs import Named, add_input_arguments, kind_asked, read_inputs
from costmodel.cli.output import interval, note, number, print_details, print_error, print_table
from costmodel.distributed import connected
from costmodel.distributed.answering import ByCluster, Predicts
from costmodel.prediction import Predictions
from costmodel.predictor import Outcome
from costmodel.wire import result_of
from featurizers.errors import InputError

_CHUNK = 4096
"""Inputs asked about together: memory does not grow with the length of --inputs."""
_CHUNK_OF_CLUSTER = 65_536
_HEADER = ("input", "device", "target", "value", "unit", "interval", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_input_arguments(parser)
    parser.add_argument("--device", "--cpu", action="append", default=[], help="may be repeated")
    parser.add_argument("--target", action="append", default=None, help="only this quantity; may be repeated")
    add_answering_arguments(parser)
    parser.add_argument("--scheduler", help="of a Dask cluster whose workers answer, e.g. tcp://10.0.0.1:8786")


def run(args: argparse.Namespace) -> int:
    """Print every prediction; 1 if an input failed."""
    if not args.scheduler:
        with answering(args) as answers:
            return _run(args, answers)
    if args.url is not None:
        raise InputError("'--scheduler'", "does not go with '--url': a service answers by itself", args.url)
    with connected(args.scheduler) as cluster:
        return _run(args, ByCluster(cluster, args.models_dir), _CHUNK_OF_CLUSTER)


def _run(args: argparse.Namespace, answers: Predicts, together: int = _CHUNK) -> int:
    failed = 0
    with_comma = False
    for inputs, outcomes in _answers(args, answers, together):
        failed += sum(isinstance(outcome, InputError) for outcome in outcomes)
        if args.json:
            body = msgspec.json.encode([result_of(outcome) for outcome in outcomes])[1:-1].decode()
            print("," if with_comma else '{"results":[', body, sep="", end="")
        else:
            _print(inputs, outcomes)
        with_comma = True
    if args.json:
        print("]}")
    return 1 if failed else 0


def _answers(args: argparse.Namespace, answers: Predicts, together: int) -> Iterator[tuple[list[Named], list[Outcome]]]:
    kind = kind_asked(args)
    inputs = read_inputs(args, kind)
    chunk = list(islice(inputs, together))
    if not chunk:
        raise InputError("The list of inputs", "must hold at least one input", 0)
    while chunk:
        readable = [named.raw for named in chunk if not isinstance(named.raw, InputError)]
        answered = iter(answers.predict(kind.name, readable, args.device, args.target) if readable else [])
        yield chunk, [named.raw if isinstance(named.raw, InputError) else next(answered) for named in chunk]
        chunk = list(islice(inputs, together))


def _print(inputs: list[Named], outcomes: list[Outcome]) -> None:
    rows = []
    for named, outcome in zip(inputs, outcomes, strict=True):
        if isinstance(outcome, InputError):
            print_error("predict", named.name, outcome)
            continue
        for p in outcome:
            rows.append((named.name, p.device, p.target, number(p.value), p.unit, interval(p), note(p)))
    if rows:
        print_table(_HEADER, rows)
    for named, outcome in zip(inputs, outcomes, strict=True):
        if isinstance(outcome, Predictions):
            print_details(named.name, outcome.details)
