"""``costmodel measure model.onnx --device ort-fp32-b1``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from costmodel.cli.inputs import dimensions
from costmodel.cli.output import number, print_json, print_table
from featurizers.errors import InputError

_HEADER = ("device", "batch", "latency [ms]", "as measured [ms]", "spread", "rounds", "runtime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an ONNX model")
    parser.add_argument("--device", required=True, help="runtime, precision and batch on this host, e.g. ort-fp32-b1")
    parser.add_argument("--rounds", type=int, default=6, help="of five or more runs each (default: 6)")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE", help="size of a dynamic dimension")
    parser.add_argument("--core", type=int, help="CPU core to run on (default: the last one allowed)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print what the model costs on this machine."""
    try:
        model = args.file.read_bytes()
    except OSError as error:
        raise InputError("The file", f"must be readable: {error.strerror}", str(args.file)) from None
    from costmodel.measure import measure_model
    from costmodel.registry import quiet_reference_ms

    quiet_ms = quiet_reference_ms(args.device)
    found = measure_model(
        model, args.device, args.rounds, dims=dimensions(args.dim), quiet_reference_ms=quiet_ms, core=args.core
    )
    if args.json:
        print_json(asdict(found))
        return 0
    row = (
        found.device,
        str(found.batch),
        number(found.latency_ms),
        number(found.raw_latency_ms),
        f"{found.spread:.1%}",
        f"{found.rounds} ({found.quiet_rounds} quiet)",
        found.runtime,
    )
    print_table(_HEADER, [row])
    return 0
