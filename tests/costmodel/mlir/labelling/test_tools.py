"""Tools as processes: a limit of processor time, so that a busy machine makes no other labels."""

from __future__ import annotations

import sys

import pytest

from costmodel.mlir.labelling.tools import ToolError, first_error, limited


def test_a_tool_that_computes_too_long_is_ended_and_says_so():
    with pytest.raises(ToolError, match="spin: took more than 1 s of processor time"):
        limited("spin", [sys.executable, "-c", "while True: pass"], 1)


def test_a_tool_that_only_waits_uses_none_of_its_time():
    wait = "import sys, time; time.sleep(1.3); print(sys.stdin.read().upper())"
    assert limited("wait", [sys.executable, "-c", wait], 1, stdin="abc").stdout == "ABC\n"


def test_a_tool_that_waits_for_ever_is_ended_by_the_clock():
    with pytest.raises(ToolError, match="took longer than 0.3 s"):
        limited("wait", [sys.executable, "-c", "import time; time.sleep(60)"], 0.01)


def test_of_what_a_tool_says_the_fault_is_kept_and_not_the_banner():
    said = "==7== Callgrind, a profiler\n==7== Command: f\n==7== valgrind: Unrecognised instruction at address 0x4.\n"
    assert first_error(said, -4) == "==7== valgrind: Unrecognised instruction at address 0x4."
    assert first_error("f.mlir:1:2: error: no\nnote: here\n", 1) == "f.mlir:1:2: error: no"
    assert first_error("\n", 9) == "exit code 9"
