"""``costmodel models``."""

from __future__ import annotations

import argparse

from costmodel.cli.answering import add_answering_arguments, answering
from costmodel.cli.output import print_json, print_table
from costmodel.wire import ModelList


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_answering_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the model of each kind; with --json, its whole card."""
    with answering(args) as answers:
        models = answers.models()
    if args.json:
        print_json(ModelList(models))
        return 0
    rows = [
        (
            model.name,
            model.version,
            model.kind,
            model.source,
            f"{len(model.devices)} devices",
            str(model.card.get("data", "")),
            str(model.card.get("licence", "")),
        )
        for model in models
    ]
    print_table(("model", "version", "kind", "source", "devices", "data", "licence"), rows)
    return 0
