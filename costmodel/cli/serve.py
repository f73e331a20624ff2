"""``costmodel serve``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from tempfile import TemporaryDirectory

from featurizers.errors import InputError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SERVICE = "service.processes"
"""Named, not imported: the service is a layer above the library."""

_SHARED_COUNTERS = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers leave their counters, so that /metrics of any of them tells the sum of all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted. Settings come from COSTMODEL_* variables, see docs/settings.md."""
    _check_exposure(args.host)
    with TemporaryDirectory(prefix="costmodel-metrics-") as folder:
        if args.workers > 1:
            os.environ[_SHARED_COUNTERS] = folder
        service = importlib.import_module(_SERVICE)
        return int(service.run(args.host, args.port, args.workers, args.log_level))


def _check_exposure(host: str) -> None:
    """Refuse an address that others reach while nobody could ask: see SECURITY.md."""
    if host in _LOOPBACK or os.environ.get("COSTMODEL_ACCESS", "auto") == "open":
        return
    from costmodel.state import Database, KeyStore, StateUnavailableError

    database = Database()
    try:
        keys = KeyStore(database).living()
    except StateUnavailableError as error:
        print(f"costmodel serve: API keys cannot be read yet: {error}", file=sys.stderr)
        return
    finally:
        database.close()
    if not keys:
        rule = "needs an API key: 'costmodel keys create NAME', or COSTMODEL_ACCESS=open to let everybody in"
        raise InputError("An address that other machines reach", rule, host)
