"""``costmodel explain model.onnx --device X``."""

from __future__ import annotations

import argparse

from costmodel.cli.answering import Answering, add_answering_arguments, answering
from costmodel.cli.inputs import add_input_arguments, kind_asked, read_inputs
from costmodel.cli.output import interval, note, number, print_error, print_json, print_table
from costmodel.prediction import Explanation, Neighbour
from costmodel.wire import DeviceInfo, ExplainAnswer, ExplainResult, problem_of
from featurizers.errors import InputError, UnknownNameError

_HEADER = ("share", "value", "op", "names")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_input_arguments(parser)
    parser.add_argument("--device", "--cpu", default="", help="may be left out for kinds that have a default")
    parser.add_argument("--target", help="the quantity to explain (default: the device's first)")
    parser.add_argument("--top", type=int, default=20, metavar="N", help="shares shown in the table (default: 20)")
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print each input's total and its shares, largest first; 1 if an input failed."""
    with answering(args) as answers:
        results = _results(args, answers)
    if args.json:
        print_json(ExplainAnswer(results))
    return 1 if any(result.error is not None for result in results) else 0


def _results(args: argparse.Namespace, answers: Answering) -> list[ExplainResult]:
    kind = kind_asked(args)
    _check_device(answers.devices(kind.name), args)
    results = []
    for named in read_inputs(args, kind):
        try:
            if isinstance(named.raw, InputError):
                raise named.raw
            explanation = answers.explain(kind.name, named.raw, args.device, args.target)
        except InputError as error:
            results.append(ExplainResult(error=problem_of(error)))
            if not args.json:
                print_error("explain", named.name, error)
            continue
        results.append(ExplainResult(explanation))
        if not args.json:
            _print(named.name, explanation, args.top)
    return results


def _neighbour(found: Neighbour) -> tuple[str, ...]:
    value = "" if found.value is None else number(found.value)
    return (found.name, found.example, f"{found.likeness:.2f}", value, "; ".join(found.differences))


def _check_device(devices: list[DeviceInfo], args: argparse.Namespace) -> None:
    known = {device.name: [target.name for target in device.targets] for device in devices}
    if args.device and args.device not in known:
        raise UnknownNameError("device", args.device, known)
    if args.device and args.target is not None and args.target not in known[args.device]:
        raise UnknownNameError(f"target of device '{args.device}'", args.target, known[args.device])


def _print(name: str, explanation: Explanation, top: int) -> None:
    p = explanation.prediction
    print(f"{name}: {p.target} {number(p.value)} {p.unit}, {interval(p)} on {p.device} {note(p)}".rstrip())
    if explanation.neighbours:
        unit = f"measured {p.target} [{p.unit}]"
        header = ("nearest measured", "example", "likeness", unit, "asked against measured")
        print_table(header, [_neighbour(neighbour) for neighbour in explanation.neighbours])
    if not explanation.shares:
        return
    shares = sorted(explanation.shares, key=lambda share: -share.value)
    print_table(_HEADER, [(f"{s.fraction:.1%}", number(s.value), s.op, " ".join(s.names)) for s in shares[:top]])
    if len(shares) > top:
        rest = sum(share.fraction for share in shares[top:])
        print(f"{rest:.1%}  in {len(shares) - top} more")
