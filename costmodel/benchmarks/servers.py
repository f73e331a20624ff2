"""Servers that the benchmarks load: started as subprocesses on a free port, stopped at the end of a ``with`` block."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 30.0
_PYFUNC = Path(__file__).parents[1] / "tracking" / "pyfunc_model.py"


_AT_REST = 0.05
"""Of a second: less processor time is no work."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ready_s : from the start of its process to the first good answer of its health route;
    ready_cpu_s : the processor time that this took, which other work on the machine does not stretch."""

    port: int
    pid: int
    ready_s: float
    ready_cpu_s: float

    def resident_mb(self) -> float:
        """Resident memory of the process now, in 10^6 bytes. Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6

    def cpu_s(self) -> float:
        """Processor time of the process and of all that it has started, so far. Linux only."""
        return sum(map(_cpu_s, _family(self.pid)))

    def wait_until_at_rest(self) -> None:
        """Until it takes next to no processor time (models are read beside the first requests), or for a minute."""
        for _ in range(60):
            before_s = self.cpu_s()
            time.sleep(1.0)
            if self.cpu_s() - before_s < _AT_REST:
                return


def _family(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return [pid, *(each for child in children for each in _family(child))]


def _cpu_s(pid: int) -> float:
    """Of one process, with those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def our_server(models: Path, settings: Mapping[str, str] | None = None, workers: int = 1) -> Iterator[Server]:
    """`costmodel serve` over a folder of bundles, with the echo route; settings : further COSTMODEL_* variables."""
    variables = {
        "COSTMODEL_MODELS_DIR": str(models),
        "COSTMODEL_USE_REGISTRY": "false",
        "COSTMODEL_EXPOSE_ECHO": "true",
        **(settings or {}),
    }
    port = _free_port()
    command = [sys.executable, "-m", "costmodel", "serve", "--port", str(port), "--workers", str(workers)]
    with _running([*command, "--log-level", "warning"], port, "/readyz", variables) as server:
        yield server


@contextlib.contextmanager
def mlflow_server(bundle: Path, device: str, target: str) -> Iterator[Server]:
    """`mlflow models serve` of the same bundle, one worker, without a column signature."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec

    # Parameters have to be declared; they cost nothing next to declared columns.
    parameters = [ParamSpec("device", "string", device), ParamSpec("targets", "string", target)]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        mlflow.pyfunc.save_model(
            model,
            python_model=str(_PYFUNC),
            artifacts={"bundle": str(bundle)},
            signature=ModelSignature(params=ParamSchema(parameters)),
            pip_requirements=["costmodel"],
        )
        port = _free_port()
        command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--port", str(port)]
        options = ["--env-manager", "local", "--workers", "1"]
        with _running(command + options, port, "/ping", {}) as server:
            yield server


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, health: str, settings: Mapping[str, str]) -> Iterator[Server]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **settings}
    # As what is installed starts: from compiled modules, which a first start writes where it may.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        # In a process group of its own: a server may have started workers that have to stop with it.
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(process, f"http://127.0.0.1:{port}{health}", started + _START_LIMIT_S, log)
            cpu_s = sum(map(_cpu_s, _family(process.pid)))
            yield Server(port, process.pid, time.perf_counter() - started, cpu_s)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, deadline: float, log: IO[bytes]) -> None:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.perf_counter() > deadline:
                log.seek(0)
                told = log.read()[-2000:].decode(errors="replace")
                raise RuntimeError(f"the server behind {url} did not start:\n{told}") from None
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
