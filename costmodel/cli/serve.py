"""``costmodel serve``."""

from __future__ import annotations

import argparse

_FACTORY = "service.app:from_environment"
"""Named, not imported: the service is a layer above the library, and worker processes import it themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted. Settings come from COSTMODEL_* variables, see docs/settings.md."""
    import uvicorn

    uvicorn.run(
        _FACTORY,
        factory=True,
        host=args.host,
        port=args.port,
        workers=args.workers,
        log_level=args.log_level,
        access_log=False,
        server_header=False,
    )
    return 0
