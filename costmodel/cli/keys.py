"""``costmodel keys``: who may use a service that others can reach."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from featurizers.errors import InputError

if TYPE_CHECKING:
    from costmodel.state import KeyStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    commands = parser.add_subparsers(dest="action", required=True)
    create = commands.add_parser("create", help="make a key; it is printed once")
    create.add_argument("name", help="whose it is")
    create.add_argument("--scope", default="read", choices=("read", "write", "admin"))
    commands.add_parser("list", help="keys that are in use")
    revoke = commands.add_parser("revoke", help="take a key back; running services know within two seconds")
    revoke.add_argument("id")


def run(args: argparse.Namespace) -> int:
    """Keys lie in the state database, see COSTMODEL_DATABASE_URL in docs/settings.md."""
    from costmodel.state import Database, KeyStore, StateUnavailableError

    try:
        _run(args, KeyStore(Database()))
    except StateUnavailableError as error:
        print(f"costmodel keys: {error}", file=sys.stderr)
        return 1
    return 0


def _run(args: argparse.Namespace, store: KeyStore) -> None:
    if args.action == "create":
        print(store.create(args.name, args.scope))
    elif args.action == "revoke":
        if not store.revoke(args.id):
            raise InputError("The key's id", "must be one that 'costmodel keys list' shows", args.id)
    else:
        for key in sorted(store.living().values(), key=lambda key: key.created_at):
            print(f"{key.id}  {key.scope:5}  {datetime.fromtimestamp(key.created_at, UTC):%Y-%m-%d}  {key.name}")
