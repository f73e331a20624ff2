"""The command ``costmodel``: the library from a shell, in process or through a running service."""

from costmodel.cli.main import main

__all__ = ["main"]
