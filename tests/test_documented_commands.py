"""Every command in the README and the documentation is run, or it stands in `NOT_RUN` with the reason.

A command is a line ``$ ...`` of a console block (with its continuation lines), a curl call that is indented, or a
Python block. They run in a folder with the files that the documentation names, against a service with packaged models.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel.benchmarks.servers import our_server
from costmodel.registry import PRETRAINED

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = {
    r"^make ": "what this test runs in",
    r"^(sudo )?(apt-get|pip|npm) |^\.venv/bin/pip ": "installs packages",
    r"build\.py": "hours of measuring or labelling; its own tests run it for a few inputs",
    r"costmodel train|^mlflow run": "minutes of fitting; tests/costmodel/tracking trains a toy kind",
    r"costmodel (evaluate|benchmark|measure) ": "minutes of computing, some on data that are fetched",
    r"costmodel datasets pull": "fetches public data; its tests pull from a server of their own",
    r"costmodel serve|docker|kubectl|^dask ": "starts something that stays",
}
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CONTINUED = r"(?:[^\n]*\\\n)*[^\n]*"
_INDENTED = re.compile(rf"^    (curl {_CONTINUED})", re.MULTILINE)
_COMMAND = re.compile(rf"^\$ ({_CONTINUED})", re.MULTILINE)
_COMMENT = re.compile(r"\s{2,}#.*$", re.MULTILINE)


def documented() -> Iterator[tuple[str, str, str]]:
    """(page, language, text) of everything that a reader might type."""
    for page in PAGES:
        text, name = page.read_text(), page.relative_to(ROOT).as_posix()
        for language, block in _BLOCK.findall(text):
            if language == "python":
                yield name, "python", block
            else:
                yield from ((name, "shell", _COMMENT.sub("", command)) for command in _COMMAND.findall(block))
        yield from ((name, "shell", command) for command in _INDENTED.findall(text))


CASES = list(documented())
RUN = [case for case in CASES if case[1] == "python" or not any(re.search(rule, case[2]) for rule in NOT_RUN)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with our_server(PRETRAINED) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the files that the documentation names."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "datasets/host_microbench", folder / "datasets/host_microbench")
    shutil.copy(ROOT / "examples/resnet.onnx", folder / "model.onnx")
    for name in ("dynamic.onnx", "a.onnx", "b.onnx"):
        (folder / name).write_bytes(with_dynamic_batch(folder / "model.onnx"))
    commands = folder / "bin"
    commands.mkdir()
    (commands / "costmodel").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m costmodel "$@"\n')
    (commands / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for command in commands.iterdir():
        command.chmod(0o755)
    return folder


def with_dynamic_batch(path: Path) -> bytes:
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return bytes(model.SerializeToString())


def run(language: str, text: str, folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    text = text.replace("127.0.0.1:8000", address).replace("localhost:8000", address).replace(".venv/bin/", "")
    text = re.sub(r"\bDEVICE\b", "xeon-emr-ort-fp32-b1", text)
    variables = os.environ | {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COSTMODEL_USE_REGISTRY": "false",
    }
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-o", "pipefail", "-c", text]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)


def test_the_rules_of_what_is_not_run_are_all_needed() -> None:
    texts = [text for _, language, text in CASES if language == "shell"]
    needed = [rule for rule in NOT_RUN if any(re.search(rule, text) for text in texts)]
    assert len(RUN) >= 10
    assert {r"^make ", r"costmodel train|^mlflow run"} <= set(needed)


@pytest.mark.parametrize(("page", "language", "text"), RUN, ids=[f"{page}:{text[:60]}" for page, _, text in RUN])
def test_a_documented_command_does_what_it_says(
    page: str, language: str, text: str, folder: Path, address: str
) -> None:
    done = run(language, text, folder, address)
    assert done.returncode == 0, f"{page}: {text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "urn:costmodel:problem" not in done.stdout, f"{page}: {text}\n{done.stdout[-2000:]}"
