"""`mutations`: unsound inputs of every kind sent to a running service, while another caller asks sound questions.

Every answer must be one of 2xx or 4xx: what is wrong is the caller's. The sound questions must all be answered, each in
time: `slowest_other_s` is how long the longest of them waited, whatever happened to the processes that read files.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx

from costmodel.benchmarks.mlir_fuzz import mutated as changed_mlir
from costmodel.benchmarks.mutation_seeds import Seed, seeds
from costmodel.benchmarks.mutators import changed_archive, changed_bytes, changed_json_text, changed_text, changed_value
from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.traffic import Callers, calling
from costmodel.kinds import KINDS, load_bundle
from costmodel.registry import PRETRAINED
from featurizers.errors import UnknownNameError

_SENDERS = 3
_OTHER = {"server": "aws/m7i.large"}
_TYPES = (
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data",
    "multipart/form-data; boundary=a",
)


def run(
    data: Path | None,
    mirror: Path | None,
    count: int = 2000,
    kind: str = "",
    seed: int = 1,
    failures: str = "",
    seconds: float = 1e9,
) -> dict[str, Any]:
    """data : a folder of bundles by kind, in place of the packaged ones. count : inputs per kind. kind : only this.
    seconds : of a kind, after which no more are sent. failures : a folder that takes what got a 5xx or no answer."""
    models = data or PRETRAINED
    if kind and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    chosen = [kind] if kind else [name for name in KINDS if (models / name / "bundle.json").is_file()]
    with TemporaryDirectory() as folder:
        settings = {"COSTMODEL_BODY_BYTES_MAX": "20000000", "COSTMODEL_DATABASE_URL": f"sqlite:///{folder}/state.db"}
        with our_server(models, settings) as server:
            rows = [
                row_of(server, models, name, count, seed, Path(failures) if failures else None, seconds)
                for name in chosen
            ]
    totals = ("inputs", "server_errors", "no_answer", "other_failed")
    summary = {name: float(sum(row[name] for row in rows)) for name in totals}
    summary["slowest_other_s"] = max(row["slowest_other_s"] for row in rows)
    summary["processes_lost"] = float(sum(row["process_lost"] for row in rows))
    return {"benchmark": "mutations", "rows": rows, "summary": summary}


def row_of(
    server: Server, models: Path, kind: str, count: int, seed: int, failures: Path | None = None, seconds: float = 1e9
) -> dict[str, Any]:
    """Send `count` mutants of one kind. process_lost : whether the service has ended."""
    found = seeds(kind, load_bundle(models / kind))
    said: Counter[str] = Counter()
    until, lock = time.monotonic() + seconds, threading.Lock()
    numbers = itertools.takewhile(lambda _: time.monotonic() < until, range(count))
    other = Callers(f"http://127.0.0.1:{server.port}", "/v1/predict/cpu", {"device": "spare-cores", "inputs": [_OTHER]})
    senders = [
        threading.Thread(target=_send, args=(server, found, numbers, lock, seed, said, failures))
        for _ in range(_SENDERS)
    ]
    with calling(other, threads=1):
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    return {
        "kind": kind, "seed": seed, "inputs": sum(said.values()),
        "answered": _count(said, "2"), "refused": _count(said, "4"), "server_errors": _count(said, "5"),
        "no_answer": said["none"], "process_lost": int(not Path(f"/proc/{server.pid}/cmdline").read_bytes()),
        "others": other.said["200"], "other_failed": other.failed + other.said["no answer"],
        "slowest_other_s": other.slowest_s,
    }  # fmt: skip


def _count(said: Counter[str], first: str) -> int:
    return sum(count for status, count in said.items() if status.startswith(first))


def _send(
    server: Server, found: list[Seed], numbers: Any, lock: Any, seed: int, said: Counter[str], failures: Path | None
) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            sent = mutant(found, random.Random(f"{seed}/{number}"))
            status = _status(client, sent)
            with lock:
                said[status] += 1
            if failures is not None and (status == "none" or status.startswith("5")):
                failures.mkdir(parents=True, exist_ok=True)
                told = {"status": status, "path": sent.path, "type": sent.content_type, "seed": sent.name}
                (failures / f"{seed}-{number}.json").write_text(json.dumps(told))
                (failures / f"{seed}-{number}.body").write_bytes(sent.body)


def _status(client: httpx.Client, sent: Seed) -> str:
    headers = {"content-type": sent.content_type} | ({"content-encoding": "gzip"} if sent.form == "gzip" else {})
    try:
        return str(client.post(sent.path, content=sent.body, headers=headers).status_code)
    except httpx.TransportError:
        return "none"


def mutant(found: list[Seed], rng: random.Random) -> Seed:
    """A request made from one of the sound ones."""
    seed = rng.choice(found)
    body, content_type, path, form = _changed(seed, rng), seed.content_type, seed.path, seed.form
    kind = rng.randrange(40)
    if kind == 0:
        content_type = rng.choice(_TYPES)
    elif kind == 1:
        body, form = changed_bytes(gzip.compress(body, mtime=0), rng), "gzip"
    elif kind == 2 and urlsplit(path).query:
        path = path.replace("device=", rng.choice(("devices=", "device=%ff", "x=1&device=", "device=&dim=a=-1&y=")))
    return Seed(seed.name, path, content_type, body, form)


def _changed(seed: Seed, rng: random.Random) -> bytes:
    if seed.form in ("json", "json file"):
        if rng.random() < 0.75:
            try:
                return json.dumps(changed_value(json.loads(seed.body), rng)).encode()
            except RecursionError:  # nested too deeply for our own encoder: as text it is not
                return b'{"inputs": ' + b"[" * 100_000
        return changed_text(seed.body, rng)
    if seed.form == "zip" and rng.random() < 0.7:
        change = changed_json_text if rng.random() < 0.7 else changed_bytes
        try:
            return changed_archive(seed.body, rng, change)
        except ValueError:  # a member that is no JSON, and was to be changed as if it were
            return changed_bytes(seed.body, rng)
    if seed.form == "mlir":
        return changed_mlir(seed.body.decode(), rng)
    return changed_bytes(seed.body, rng)
