"""`chaos`: a running service while its processes are killed and what it stands on is taken away, counted.

Every fault has a row: what callers of predictions and writers saw meanwhile, what was lost, and how long it took until
all was well again. Predictions are asked for by two callers all the time; one whose connection breaks is sent once
more, as every client does, and counts as failed when that fails too.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from costmodel.benchmarks.postgres import NoPostgresError, new_database, running_postgres
from costmodel.benchmarks.questions import cells
from costmodel.benchmarks.registry_faults import registry_rows
from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.traffic import Callers, Writers, calling
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from costmodel.state import Database
from costmodel.state.reports import ReportStore

_URL = "COSTMODEL_DATABASE_URL"
_WRITERS = 4
_PER_ENTRY = 3
_CLOCK = """
import os, time
_now, _file = time.time, os.environ["CHAOS_CLOCK"]
def _shifted():
    try:
        return _now() + float(open(_file).read() or 0)
    except (OSError, ValueError):
        return _now()
time.time = _shifted
"""


def run(
    data: Path | None,
    mirror: Path | None,
    kills: int = 20,
    writes: int = 1000,
    seconds_gone: float = 60.0,
    registry: bool = True,
) -> dict[str, Any]:
    """data : a folder of bundles by kind, in place of the packaged ones. kills, writes : of the service, and how many
    writes each time. seconds_gone : how long the database is away. registry : whether MLflow's is tried too."""
    models = data or PRETRAINED
    asked = Asked(models)
    rows = [*kill_rows(asked, kills, writes), worker_row(asked, max(kills // 4, 1))]
    rows.append(all_workers_row(asked, max(kills // 4, 1)))
    rows += [gone_row(asked, seconds_gone), disk_row(asked), clock_row(asked)]
    if registry:
        rows += registry_rows(models / "cpu")
    columns = dict.fromkeys(name for row in rows for name in row)
    return {
        "benchmark": "chaos",
        "rows": [{**dict.fromkeys(columns, ""), **row} for row in rows],
        "summary": _summary(rows),
    }


class Asked:
    """What is asked and written: cells of the network kind."""

    def __init__(self, models: Path):
        self.models = models
        predictor = Predictor.load(models / "network")
        self.device = next(iter(predictor.devices))
        self.target = predictor.devices[self.device].targets[0]
        self._cells = cells(500, seed=3)

    def callers(self, server: Server) -> Callers:
        """Callers of one prediction."""
        question = {"device": self.device, "target": self.target, "inputs": [{"nasbench201": self._cells[0]}]}
        return Callers(f"http://127.0.0.1:{server.port}", "/v1/predict/network", question)

    def writers(self, first: int, count: int) -> Writers:
        """Writers of the entries from number `first` on."""
        return Writers("/v1/measurements", self._entry, range(first, first + count))

    def _entry(self, number: int) -> Mapping[str, Any]:
        measured = [
            {"input": {"nasbench201": self._cells[(number + i) % 500]}, "value": 1.0 + i, "conditions": {"n": number}}
            for i in range(_PER_ENTRY)
        ]
        return {"kind": "network", "device": self.device, "target": self.target, "measurements": measured}


def kept(url: str) -> Counter[int]:
    """Rows of the database by the number of their entry."""
    database = Database(url)
    try:
        return Counter(int(report.conditions["n"]) for report in ReportStore(database).of_kind("network"))
    finally:
        database.close()


def losses(found: Mapping[int, int], acknowledged: set[int]) -> dict[str, int]:
    """Entries acknowledged and not there, in part there, and there more than once."""
    return {
        "lost": sum(number not in found for number in acknowledged),
        "half_written": sum(count % _PER_ENTRY != 0 for count in found.values()),
        "twice": sum(count > _PER_ENTRY for count in found.values()),
    }


def kill_rows(asked: Asked, kills: int, writes: int) -> list[dict[str, Any]]:
    """kill -9 of the whole service while it writes, on SQLite, and a quarter as often on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [kill_row(asked, f"sqlite:///{folder}/state.db", "SQLite", kills, writes)]
    try:
        with running_postgres() as server:
            rows.append(kill_row(asked, new_database(server, "kills"), "PostgreSQL", max(kills // 4, 1), writes))
    except NoPostgresError as error:
        rows.append({"fault": f"service killed, PostgreSQL: not tried, {error}"})
    return rows


def kill_row(asked: Asked, url: str, name: str, kills: int, writes: int) -> dict[str, Any]:
    """See `kill_rows`. back_s : the longest of the restarts, from the process's start to its first answer; back_cpu_s :
    the most processor time that one took."""
    draw, acknowledged, said, restarts = random.Random(1), set[int](), Counter[str](), []
    found: Counter[int] = Counter()
    wrong: Counter[str] = Counter()
    for kill in range(kills):
        writers = asked.writers(kill * writes, writes)
        with our_server(asked.models, {_URL: url}) as server:
            restarts.append((server.ready_s, server.ready_cpu_s))
            at = draw.randrange(1, writes)
            killer = threading.Thread(target=_kill_at, args=(server, writers, at))
            killer.start()
            writers.write(f"http://127.0.0.1:{server.port}", _WRITERS)
            killer.join()
        wrong += Counter(losses(kept(url), acknowledged | writers.acknowledged))
        with our_server(asked.models, {_URL: url}) as server:
            restarts.append((server.ready_s, server.ready_cpu_s))
            writers.write(f"http://127.0.0.1:{server.port}", _WRITERS)
        acknowledged |= writers.acknowledged
        said += writers.said
        found = kept(url)
        wrong += Counter(losses(found, acknowledged))
    wrong["lost"] += kills * writes - len(found)
    return {
        "fault": f"service killed, {name}", "times": kills, "writes": kills * writes, "written": len(acknowledged),
        "broken_off": said["no answer"], "server_errors": _server_errors(said),
        **{key: wrong[key] for key in ("lost", "half_written", "twice")},
        "back_s": max(wall_s for wall_s, _ in restarts), "back_cpu_s": max(cpu_s for _, cpu_s in restarts),
    }  # fmt: skip


def _kill_at(server: Server, writers: Writers, count: int) -> None:
    while len(writers.acknowledged) < count:
        time.sleep(0.001)
    os.kill(server.pid, signal.SIGKILL)


@contextmanager
def _two_workers(asked: Asked) -> Iterator[tuple[Server, Callers]]:
    """A service of two worker processes, asked for predictions all the while."""
    with (
        tempfile.TemporaryDirectory() as folder,
        our_server(asked.models, {_URL: f"sqlite:///{folder}/state.db"}, workers=2) as server,
        calling(asked.callers(server), threads=4) as callers,
    ):
        yield server, callers


def worker_row(asked: Asked, kills: int) -> dict[str, Any]:
    """kill -9 of one of two worker processes. back_s : until there are two again, the longest."""
    back = []
    with _two_workers(asked) as (server, callers):
        for _ in range(kills):
            back.append(_worker_killed(server))
            time.sleep(1.0)
    return _seen("worker killed", callers) | {"times": kills, "back_s": max(back)}


def all_workers_row(asked: Asked, kills: int) -> dict[str, Any]:
    """kill -9 of both worker processes at once. back_s : until a prediction is answered again, the longest."""
    back = []
    with _two_workers(asked) as (server, callers):
        for _ in range(kills):
            for worker in workers_of(server.pid):
                os.kill(worker, signal.SIGKILL)
            started = time.monotonic()
            with httpx.Client(base_url=callers.base, timeout=60) as client:
                client.post(callers.path, json=callers.question).raise_for_status()
            back.append(time.monotonic() - started)
            time.sleep(1.0)
    return _seen("all workers killed", callers) | {"times": kills, "back_s": max(back)}


def _worker_killed(server: Server) -> float:
    """Seconds until there are as many workers as before."""
    before = workers_of(server.pid)
    os.kill(before[0], signal.SIGKILL)
    started = time.monotonic()
    while len(set(workers_of(server.pid)) - {before[0]}) < len(before):
        if time.monotonic() - started > 60:
            raise RuntimeError("the worker that was killed was not replaced")
        time.sleep(0.01)
    return time.monotonic() - started


def workers_of(pid: int) -> list[int]:
    """The service's worker processes: forked, they have its command line."""
    found, own = [], Path(f"/proc/{pid}/cmdline").read_bytes()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and command == own:
            found.append(int(child))
    return sorted(found)


def gone_row(asked: Asked, seconds: float) -> dict[str, Any]:
    """PostgreSQL stopped for a while. back_s : from its start to the first write that is acknowledged."""
    fault = f"database gone for {seconds:g} s"
    with ExitStack() as stack:
        try:
            postgres = stack.enter_context(running_postgres())
        except NoPostgresError as error:
            return {"fault": f"{fault}: not tried, {error}"}
        url = new_database(postgres, "gone")
        server = stack.enter_context(our_server(asked.models, {_URL: url}))
        base = f"http://127.0.0.1:{server.port}"
        before, meanwhile = asked.writers(0, 20), asked.writers(20, 20)
        before.write(base, 2)
        with calling(asked.callers(server)) as callers:
            postgres.stop()
            until = time.monotonic() + seconds
            meanwhile.write(base, 2, lambda: time.monotonic() > until)
            refused = Counter(meanwhile.said)
            postgres.start()
            started = time.monotonic()
            meanwhile.write(base, 1, lambda: bool(meanwhile.acknowledged) or time.monotonic() - started > 60)
            back_s = time.monotonic() - started
            meanwhile.write(base, 2)
        acknowledged = before.acknowledged | meanwhile.acknowledged
        return _seen(fault, callers) | _refused(refused, meanwhile) | losses(kept(url), acknowledged) | {
            "written": len(acknowledged), "back_s": back_s,
        }  # fmt: skip


def disk_row(asked: Asked) -> dict[str, Any]:
    """The service's files may grow no more (RLIMIT_FSIZE, as a full disk would have it), then may again."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/state.db"
        with our_server(asked.models, {_URL: url}) as server:
            base = f"http://127.0.0.1:{server.port}"
            before, meanwhile = asked.writers(0, 20), asked.writers(20, 200)
            before.write(base, 2)
            with calling(asked.callers(server)) as callers:
                largest = max(path.stat().st_size for path in Path(folder).iterdir())
                unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + 4096, unlimited[1]))
                until = time.monotonic() + 5
                meanwhile.write(base, 2, lambda: time.monotonic() > until)
                refused = Counter(meanwhile.said)
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
                started, written = time.monotonic(), len(meanwhile.acknowledged)
                meanwhile.write(base, 1, lambda: len(meanwhile.acknowledged) > written)
                back_s = time.monotonic() - started
                meanwhile.write(base, 2)
            acknowledged = before.acknowledged | meanwhile.acknowledged
        return _seen("disk full", callers) | _refused(refused, meanwhile) | losses(kept(url), acknowledged) | {
            "written": len(acknowledged), "back_s": back_s,
        }  # fmt: skip


def clock_row(asked: Asked) -> dict[str, Any]:
    """The wall clock jumps a year on and two back while predictions are asked for and entries written."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(_CLOCK)
        clock = Path(folder) / "clock"
        clock.write_text("0")
        path = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        url = f"sqlite:///{folder}/state.db"
        with our_server(asked.models, {_URL: url, "PYTHONPATH": path, "CHAOS_CLOCK": str(clock)}) as server:
            writers, base = asked.writers(0, 300), f"http://127.0.0.1:{server.port}"
            with calling(asked.callers(server)) as callers:
                for shift_s, share in ((0.0, 100), (366 * 86400.0, 200), (-730 * 86400.0, 300)):
                    clock.write_text(str(shift_s))
                    writers.write(base, 2, lambda share=share: len(writers.acknowledged) >= share)  # type: ignore[misc]
                back_s = 0.0
        return _seen("clock jumps", callers) | losses(kept(url), writers.acknowledged) | {
            "written": len(writers.acknowledged), "server_errors": _server_errors(writers.said), "back_s": back_s,
        }  # fmt: skip


def _seen(fault: str, callers: Callers) -> dict[str, Any]:
    return {
        "fault": fault,
        "predictions": callers.said["200"],
        "failed_predictions": callers.failed,
        "answers": len(callers.answers),
    }


def _refused(said: Mapping[str, int], writers: Writers) -> dict[str, Any]:
    return {
        "refused_503": said.get("503", 0),
        "without_retry_after": writers.without_retry_after,
        "server_errors": _server_errors(said),
    }


def _server_errors(said: Mapping[str, int]) -> int:
    """Answers of 5xx that are not the 503 which says when to come back."""
    return sum(count for status, count in said.items() if status.startswith("5") and status != "503")


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Totals over all faults, and the longest way back."""
    totals = (
        "lost",
        "half_written",
        "twice",
        "failed_predictions",
        "server_errors",
        "without_retry_after",
        "wrong_model",
    )
    found = {name: float(sum(row.get(name) or 0 for row in rows)) for name in totals}
    found["writes"] = float(sum(row.get("written", 0) for row in rows))
    found["predictions"] = float(sum(row.get("predictions", 0) for row in rows))
    found["restart_cpu_s"] = max((row["back_cpu_s"] for row in rows if "back_cpu_s" in row), default=0)
    found["restart_s"] = max((row["back_s"] for row in rows if "killed" in row["fault"] and "back_s" in row), default=0)
    return found
