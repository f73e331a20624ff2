"""``costmodel devices``."""

from __future__ import annotations

import argparse

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.output import print_json, print_table
from costmodel.wire import DeviceList


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--kind", help="only devices of this kind of input")
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the devices with their targets and units."""
    with answering(args) as answers:
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
