"""The toy kind behind a real server, and the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from costmodel.cli import main
from tests.served_box import box_models, box_url

__all__ = ["box_models", "box_url"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of a command."""

    def call(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
