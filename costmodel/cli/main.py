"""``costmodel COMMAND``: each command is a module with `add_arguments` and `run`, imported only when it is called.

Exit codes: 0 all is well, 1 some inputs failed or the service does not answer, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from costmodel.bundle_format import BundleError
from costmodel.corpus import CorpusError
from featurizers.errors import InputError

COMMANDS = {
    "predict": ("costmodel.cli.predict", "what inputs cost on devices"),
    "rank": ("costmodel.cli.rank", "inputs best first on a device"),
    "explain": ("costmodel.cli.explain", "share a predicted total among the parts of an input"),
    "adapt": ("costmodel.cli.adapt", "all benchmarks of a server from a few known scores"),
    "what-if": ("costmodel.cli.what_if", "what other facts would change in a server's scores"),
    "describe-host": ("costmodel.cli.describe_host", "this machine as an input of the kind cpu"),
    "advise": ("costmodel.cli.advise", "how to build hls4ml designs: reuse factor and precision"),
    "devices": ("costmodel.cli.devices", "devices that can be asked about"),
    "models": ("costmodel.cli.models", "models that answer"),
    "serve": ("costmodel.cli.serve", "start the service"),
    "export": ("costmodel.cli.export", "write a model of trees as C source"),
    "keys": ("costmodel.cli.keys", "API keys of a service that others can reach"),
    "train": ("costmodel.cli.train", "train a model from labelled data"),
    "evaluate": ("costmodel.cli.evaluate", "accuracy of a model on labelled data"),
    "measure": ("costmodel.cli.measure", "measure a network on this machine"),
    "benchmark": ("costmodel.cli.benchmark", "run a benchmark and print its table"),
    "datasets": ("costmodel.cli.datasets", "data sets to train on"),
}
FAILED = 1
USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser(arguments).parse_args(arguments)
    try:
        return int(args.run(args))
    except InputError as error:
        print(f"costmodel {args.command}: {error}", file=sys.stderr)
        return USAGE
    except _failures() as error:
        print(f"costmodel {args.command}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130


def _failures() -> tuple[type[Exception], ...]:
    """What ends a command with one sentence. The client's library is read for it only when something failed."""
    from costmodel.client.errors import ServiceError

    return BundleError, CorpusError, ServiceError


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("costmodel", description="What will this cost on that hardware?")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module, told) in COMMANDS.items():
        command = commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
        if name == asked:
            implementation = importlib.import_module(module)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    return parser
