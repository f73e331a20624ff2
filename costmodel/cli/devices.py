"""``costmodel devices [list|plan|add|measure-more|show|remove]``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from costmodel.cli.answering import Answering, add_answering_arguments, answering
from costmodel.cli.measured import pairs, read_inputs, read_measurements
from costmodel.cli.output import number, print_json, print_table
from costmodel.devices.wire import AddedDevice, MoreMeasurements, NewDevice, PlanQuestion, Residual, VersionInfo, read
from costmodel.kinds import kind_of
from costmodel.wire import DeviceList

_TOLD = {
    "list": "devices that can be asked about",
    "plan": "which inputs to measure on a new device, or next on an added one",
    "add": "add a device from a few measurements",
    "measure-more": "more measurements of an added device",
    "show": "an added device, its fit and its versions",
    "remove": "remove an added device",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--kind", help="only devices of this kind of input")
    add_answering_arguments(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, told in _TOLD.items():
        action = actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
        # Given before the action or after it: the later one only counts where it is given.
        action.add_argument("--url", default=argparse.SUPPRESS, help="ask the service at this address")
        action.add_argument("--models-dir", type=Path, default=argparse.SUPPRESS, help="folder of bundles by kind")
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the service's JSON")
        action.add_argument("--kind", default=argparse.SUPPRESS, help="kind of input (default: network)")
        _ARGUMENTS.get(name, _add_name)(action)


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """`list` has no options of its own."""


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the device's name or id")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--space", help="of inputs, for a new device: nasbench201, fbnet, ofa, onnx (with --candidates)")
    what.add_argument("--device", help="an added device: the next best after its measurements")
    parser.add_argument("-n", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="inputs that were or will be measured anyway")
    parser.add_argument("--candidates", type=Path, metavar="FILE", help="choose among these inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", action="store_true", help="print a table to fill in, for `add --measurements`")


def _add_measurements(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--measurements", type=Path, required=True, metavar="FILE", help="CSV or JSON")
    parser.add_argument("--unit", help="of values without a unit of their own: ns, us, ms, s")
    parser.add_argument(
        "--condition", action="append", default=[], metavar="NAME=VALUE", help="e.g. batch=1, threads=4"
    )
    parser.add_argument("--idempotency-key", help="sent again with the same key, it happens once")


def _add_add(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("--space", help="of inputs (default: what the first is given by)")
    parser.add_argument("--descriptor", action="append", default=[], metavar="NAME=VALUE", help="what the device is")
    parser.add_argument("--any-scale", action="store_true", help="learn also what looks like another unit")
    _add_measurements(parser)


def _add_more(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    _add_measurements(parser)


_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "list": _add_nothing, "plan": _add_plan, "add": _add_add, "measure-more": _add_more,
}  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do what was asked, and print the answer."""
    with answering(args) as answers:
        return _ACTIONS[args.action or "list"](args, answers)


def _list(args: argparse.Namespace, answers: Answering) -> int:
    devices = answers.devices(args.kind)
    if args.json:
        print_json(DeviceList(devices))
        return 0
    rows = [
        (
            device.name,
            device.kind,
            ", ".join(f"{target.name} [{target.unit}]" for target in device.targets),
            ", ".join(f"{key}={value}" for key, value in device.descriptor.items()),
        )
        for device in devices
    ]
    print_table(("device", "kind", "targets", "conditions"), rows)
    return 0


def _plan(args: argparse.Namespace, answers: Answering) -> int:
    kind = kind_of(args.kind or "network")
    question = PlanQuestion(
        n=args.n,
        kind=kind.name,
        space=args.space,
        device=args.device,
        measured=[] if args.measured is None else read_inputs(args.measured, kind),
        candidates=None if args.candidates is None else read_inputs(args.candidates, kind),
        seed=args.seed,
    )
    plan = answers.plan_device(question)
    if args.json:
        print_json(plan)
    elif args.csv:
        _print_csv(plan.space, plan.inputs)
    else:
        print_table(("order", plan.space), [(str(i + 1), _shown(raw)) for i, raw in enumerate(plan.inputs)])
    return 0


def _print_csv(space: str, inputs: list[dict[str, Any]]) -> None:
    print(f"{space},latency_ms")
    for raw in inputs:
        text = _shown(raw)
        quoted = '"' + text.replace('"', '""') + '"'
        print((quoted if "," in text or '"' in text else text) + ",")


def _shown(raw: dict[str, Any]) -> str:
    value = next(iter(raw.values())) if len(raw) == 1 else raw
    return value if isinstance(value, str) else json.dumps(value)


def _add(args: argparse.Namespace, answers: Answering) -> int:
    kind = kind_of(args.kind or "network")
    fields = {
        "name": args.name, "kind": kind.name, "space": args.space, "unit": args.unit,
        "descriptor": pairs(args.descriptor, "--descriptor"), "conditions": pairs(args.condition, "--condition"),
        "measurements": read_measurements(args.measurements, kind), "any_scale": args.any_scale,
    }  # fmt: skip
    device = answers.add_device(read(NewDevice, fields), args.idempotency_key)
    return _print_device(args, device)


def _more(args: argparse.Namespace, answers: Answering) -> int:
    kind = kind_of(args.kind or "network")
    fields = {
        "measurements": read_measurements(args.measurements, kind), "unit": args.unit,
        "conditions": pairs(args.condition, "--condition"),
    }  # fmt: skip
    device = answers.measure_device(args.name, read(MoreMeasurements, fields), args.idempotency_key)
    return _print_device(args, device)


def _show(args: argparse.Namespace, answers: Answering) -> int:
    return _print_device(args, answers.device(args.name))


def _remove(args: argparse.Namespace, answers: Answering) -> int:
    removed = answers.remove_device(args.name)
    if args.json:
        print_json(removed)
    else:
        print(f"{removed.name}: removed.")
    return 0


def _print_device(args: argparse.Namespace, device: AddedDevice) -> int:
    if args.json:
        print_json(device)
        return 0
    error = "" if device.fit.median_error is None else f", median error left out {device.fit.median_error:.1%}"
    print(
        f"{device.name}: {device.kind} {device.space}, batch {device.batch}, version {device.version}, "
        f"{device.fit.measurements} measurements, learner {device.fit.learner}{error}"
    )
    unit = device.target.unit
    rows = [
        (_shown(r.input), number(r.measured), number(r.predicted), _interval(r), number(r.trust))
        for r in device.fit.residuals
    ]
    print_table(("input", f"measured {unit}", f"predicted {unit}", "interval", "trust"), rows)
    for line in _notes(device.versions[-1], unit):
        print(line)
    return 0


def _interval(residual: Residual) -> str:
    return f"{number(residual.low)} .. {number(residual.high)}"


def _notes(version: VersionInfo, unit: str) -> list[str]:
    notes = [
        f"outlier: measurement {o.index} is {number(o.measured)} {unit}, the others say {number(o.predicted)} {unit}"
        for o in version.outliers
    ]
    if version.drift is not None:
        notes.append(f"drift: the device takes {version.drift:.2f} times as long as its earlier measurements said")
    return notes


_ACTIONS: dict[str, Callable[[argparse.Namespace, Answering], int]] = {
    "list": _list, "plan": _plan, "add": _add, "measure-more": _more, "show": _show, "remove": _remove,
}  # fmt: skip
