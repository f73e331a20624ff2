"""Running the tools of LLVM and MLIR as processes: with a time limit, and with their message if they fail."""

from __future__ import annotations

import math
import os
import re
import resource
import shutil
import signal
import subprocess
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any

VERSION = 22
INSTALL = f"apt-get install mlir-{VERSION}-tools llvm-{VERSION}  # Debian bookworm-security, trixie or apt.llvm.org"
TOOLS = ("mlir-opt", "mlir-translate", "llvm-link", "opt", "llc", "llvm-mc", "llvm-nm", "llvm-mca")

PATIENCE = 30
"""Seconds by the clock per second of processor time that a tool is allowed."""


_FAULTS = ("error", "assert", "unrecognised instruction")


class ToolError(Exception):
    """A tool failed, timed out or is not installed; the message is the first of what it said."""

    def __init__(self, tool: str, reason: str):
        super().__init__(f"{tool}: {reason}")
        self.tool = tool
        self.reason = reason


@cache
def tool_path(tool: str) -> str:
    """Absolute path of a tool, by its Debian name (``opt-22``).

    Raises
    ------
    ToolError
        Not installed; says how to install it.
    """
    path = shutil.which(f"{tool}-{VERSION}")
    if path is None:
        raise ToolError(tool, f"'{tool}-{VERSION}' is not installed. {INSTALL}")
    return path


def missing_tools() -> list[str]:
    """The tools that labelling needs and this machine lacks."""
    return [tool for tool in TOOLS if shutil.which(f"{tool}-{VERSION}") is None]


def tool_versions() -> dict[str, str]:
    """Tool to the version that it prints.

    Raises
    ------
    ToolError
        A tool is missing or of another major version.
    """
    versions = {}
    for tool in TOOLS:
        text = run(tool, ["--version"], seconds=30)
        found = re.search(r"version (\d+)\.([\w.+-]+)", text)
        versions[tool] = f"{found[1]}.{found[2]}" if found else "unknown"
        if found and int(found[1]) != VERSION:
            raise ToolError(tool, f"is version {found[1]}, labels need {VERSION}. {INSTALL}")
    return versions


def run(
    tool: str, arguments: list[str], *, seconds: float, stdin: str | None = None, errors: Path | None = None
) -> str:
    """Run a tool and return what it printed; `errors` takes its standard error instead of a pipe.

    Raises
    ------
    ToolError
        It failed, crashed or took more than `seconds` of processor time.
    """
    with errors.open("w") if errors else nullcontext(subprocess.PIPE) as sink:
        done = limited(tool, [tool_path(tool), *arguments], seconds, stdin=stdin, stderr=sink)
    if done.returncode != 0:
        raise ToolError(tool, first_error(done.stderr or (errors.read_text() if errors else ""), done.returncode))
    return done.stdout


def limited(
    tool: str, command: list[str], seconds: float, *, stdin: str | None = None, stderr: Any = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a command for so many seconds of processor time: what a label says does not depend on what else computes.

    Raises
    ------
    ToolError
        It took more, or `PATIENCE` times as long by the clock.
    """
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=_environment()
    ) as process:
        allowed = math.ceil(seconds)
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (allowed, allowed + 1))
        try:
            out, said = process.communicate(stdin, timeout=PATIENCE * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ToolError(tool, f"took longer than {PATIENCE * seconds:g} s") from None
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise ToolError(tool, f"took more than {seconds:g} s of processor time")
    return subprocess.CompletedProcess(command, process.returncode, out, said)


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "LLVM_DISABLE_SYMBOLIZATION": "1"}


def first_error(text: str, code: int) -> str:
    """The first line of a tool's standard error that names an error, else the first of any."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line.lower() for word in _FAULTS)]
    return (errors or lines or [f"exit code {code}"])[0][:300]
