"""`mlir-speed`: a prediction from text beside MLIR's parser alone on the same text, by size; REST beside its echo.

Parser and prediction take turns on each program, and of each the least of some turns counts: what a parser costs whose
code lies in the processor's caches, since it does nothing else, is half of what it costs inside a compiler. In process
it is the thread's processor time: beside other work a clock would count theirs, in long steps more often than in short.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from time import thread_time
from typing import Any

from costmodel.benchmarks.http_load import Load, load, post
from costmodel.benchmarks.servers import Server, our_server
from costmodel.benchmarks.serving import NO_MEMORY
from costmodel.kinds import kind_of
from costmodel.passes import CostModel
from costmodel.paths import dataset_folder
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED

SIZES = (10, 50, 200, 1000)
_PROGRAMS = 20
_LIKE = 0.15
"""A program counts as one of a size when its number of operations is so near."""
_TURNS = 5
_SECONDS = 1.0
_REST_OPERATIONS = 50


def run(data: Path | None, mirror: Path | None, cpu: str = "znver4") -> dict[str, Any]:
    """data : a folder of programs in place of the repository's, see `datasets/mlir_programs`."""
    predictor = Predictor.load(PRETRAINED / "mlir")
    kind = kind_of("mlir")
    assert kind.corpus is not None
    by_size = of_sizes([str(raw["mlir"]) for raw in kind.corpus(data or dataset_folder(kind.dataset)).raws])
    rows: list[dict[str, Any]] = [
        {"where": "in process", "operations": size, **in_process(predictor, texts, cpu)}
        for size, texts in by_size.items()
        if texts
    ]
    with our_server(PRETRAINED, NO_MEMORY) as server:
        server.wait_until_at_rest()
        rows += _rest_rows(server, cpu, by_size[_REST_OPERATIONS])
    columns = dict.fromkeys(name for row in rows for name in row)
    return {
        "benchmark": "mlir-speed",
        "rows": [{**dict.fromkeys(columns, ""), **row} for row in rows],
        "summary": _summary(rows),
    }


def of_sizes(texts: Sequence[str]) -> dict[int, list[str]]:
    """Of each of `SIZES` some programs, evenly from all; lines are near enough to tell which are worth counting."""
    found = {}
    for size in SIZES:
        likely = [text for text in texts if size * (1 - _LIKE) < text.count("\n") < size * 2]
        step = max(len(likely) // (_PROGRAMS * 3), 1)
        exact = [text for text in likely[::step] if abs(operations(text) - size) <= size * _LIKE]
        found[size] = exact[:: max(len(exact) // _PROGRAMS, 1)][:_PROGRAMS]
    return found


def operations(text: str) -> int:
    """How many operations a program holds as it is written; 0 where this parser refuses it."""
    from iree.compiler import ir

    from featurizers.mlir.older import readable

    count = 0

    def note(_: Any) -> Any:
        nonlocal count
        count += 1
        return ir.WalkResult.ADVANCE

    try:
        ir.Module.parse(readable(text), _context()).operation.walk(note)
    except ir.MLIRError:
        return 0
    return count


@cache
def _context() -> Any:
    from iree.compiler import ir

    held = ir.Context()
    held.enable_multithreading(False)
    return held


def in_process(predictor: Predictor, texts: Sequence[str], cpu: str) -> dict[str, Any]:
    """Microseconds per program of the parser alone, of `CostModel.cost` and of its steps, and what it takes over the
    parser."""
    steps = _Steps(CostModel(predictor, cpu, "cycles"), predictor.devices[cpu].profile)
    kept = [text for text in texts if operations(text)]
    total: dict[str, float] = {}
    for text in kept:
        for name, seconds in steps.least_s(text).items():
            total[name] = total.get(name, 0.0) + seconds
    row: dict[str, Any] = {"programs": len(kept)}
    row |= {f"{name}_us": seconds / len(kept) * 1e6 for name, seconds in total.items()}
    return row | {"predict_over_parse": row["predict_us"] / row["parse_us"]}


class _Steps:
    """A prediction in process as a whole and step by step; of each, the least of some turns."""

    def __init__(self, model: CostModel, profile: str):
        from featurizers.mlir.bindings import new_context
        from featurizers.mlir.cpus import Cpu
        from featurizers.mlir.cpus import cpu as described
        from featurizers.mlir.simplify import Simplifier
        from featurizers.mlir.walk import Walker

        self.model = model
        self.profile = profile
        self.cpu: Cpu = described(profile)
        self.context = new_context()
        self.simplifier, self.walker = Simplifier(self.context), Walker()

    def least_s(self, text: str) -> dict[str, float]:
        """Seconds by step."""
        from featurizers.mlir.older import readable

        turns = [self._turn(readable(text)) for _ in range(_TURNS)]
        return {name: min(turn[name] for turn in turns) for name in turns[0]}

    def _turn(self, text: str) -> dict[str, float]:
        from iree.compiler import ir

        from featurizers.mlir.columns import row
        from featurizers.mlir.program import program

        times: dict[str, float] = {}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            started = thread_time()
            done = work()
            times[name] = thread_time() - started
            return done

        with self.context:
            operation = timed("parse", lambda: ir.Module.parse(text)).operation
            timed("predict", lambda: self.model.cost(text))
            timed("simplify", lambda: self.simplifier.run(operation))
            module = timed("read", lambda: self.walker.module(operation))
        found = timed("nests", lambda: program(module))
        timed("columns", lambda: row(found, self.cpu))
        features = self.model.featurizer.features([found], profile=self.profile)
        timed("model", lambda: self.model.of_features(features))
        return times


def predict_over_parse(predictor: Predictor, texts: Sequence[str], cpu: str | None = None) -> float:
    """Time of a prediction of cycles from text, in process, over that of MLIR's parser alone on the same texts."""
    device = cpu or sorted(name for name, own in predictor.devices.items() if "cycles" in own.targets)[0]
    return float(in_process(predictor, texts, device)["predict_over_parse"])


def _rest_rows(server: Server, cpu: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """One target, all that the CPU has, and the echo of the same bodies; in turns. cpu_ms : of all its processes."""
    one, every = ([_body(text, cpu, target) for text in texts] for target in ("cycles", None))
    requests = {
        "REST, one target": [post("localhost", "/v1/predict/mlir", body) for body in one],
        "REST, all targets": [post("localhost", "/v1/predict/mlir", body) for body in every],
        "REST, echo": [post("localhost", "/v1/echo", body) for body in one],
    }
    turns: dict[str, list[Load]] = {name: [] for name in requests}
    cpu_s = dict.fromkeys(requests, 0.0)
    for _ in range(_TURNS):
        for name, sent in requests.items():
            before_s = server.cpu_s()
            found = load(server.port, sent, 1, _SECONDS)
            cpu_s[name] += server.cpu_s() - before_s
            if found.failed:
                raise RuntimeError(f"{name}: {found.failed} requests were answered with an error")
            turns[name].append(found)
    return [
        {
            "where": name,
            "operations": _REST_OPERATIONS,
            "programs": len(texts),
            "p50_ms": statistics.median(turn.p50_ms for turn in found),
            "cpu_ms": cpu_s[name] / sum(turn.requests for turn in found) * 1e3,
        }
        for name, found in turns.items()
    ]


def _body(text: str, cpu: str, target: str | None) -> bytes:
    asked = {"device": cpu, "inputs": [{"mlir": text}]} | ({} if target is None else {"target": target})
    return json.dumps(asked).encode()


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    inside = {row["operations"]: row for row in rows if row["where"] == "in process"}
    rest = {row["where"]: row["p50_ms"] for row in rows if "p50_ms" in row}
    summary = {f"predict_over_parse_{size}": row["predict_over_parse"] for size, row in inside.items()}
    if _REST_OPERATIONS in inside:
        summary[f"predict_ms_{_REST_OPERATIONS}"] = inside[_REST_OPERATIONS]["predict_us"] / 1e3
    summary[f"rest_p50_ms_{_REST_OPERATIONS}"] = rest["REST, one target"]
    summary[f"rest_p50_ms_{_REST_OPERATIONS}_all_targets"] = rest["REST, all targets"]
    summary["rest_p50_over_echo"] = rest["REST, one target"] / rest["REST, echo"]
    return summary
