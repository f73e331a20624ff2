"""A CPU that was never labelled, added from labelled programs over a real server and the command line."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from costmodel.benchmarks.servers import our_server
from costmodel.cli import main
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from featurizers.errors import UnknownNameError
from tests.featurizers.mlir.samples import MATMUL, SAXPY

SIZES = (24, 40, 64, 100, 150, 256, 400, 640, 1024, 2000)
CLOSEST, SLOWER = "znver4", 1.7


def program(size: int) -> dict[str, str]:
    return {"mlir": SAXPY.replace("0 to 1024", f"0 to {size}")}


@pytest.fixture(scope="module")
def cycles() -> dict[int, float]:
    """Of a CPU that does not exist: a constant factor slower than what is answered for another one."""
    predictor = Predictor.load(PRETRAINED / "mlir")
    outcomes = predictor.predict([program(size) for size in SIZES], [CLOSEST], ["cycles"])
    return {size: SLOWER * one[0].value for size, one in zip(SIZES, outcomes, strict=True)}  # type: ignore[union-attr]


def document(cycles: dict[int, float], sizes: tuple[int, ...], **fields: Any) -> dict[str, Any]:
    measured = [{"input": program(size), "value": cycles[size], "unit": "cycles"} for size in sizes]
    return {"name": "new-core", "kind": "mlir", "measurements": measured, **fields}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "models").mkdir()
    os.symlink(PRETRAINED / "mlir", tmp_path / "models" / "mlir")
    with our_server(tmp_path / "models", {"COSTMODEL_DATABASE_URL": f"sqlite:///{tmp_path / 'state.db'}"}) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_new_cpu_over_a_real_server_and_the_command_line(
    url: str, cycles: dict[int, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        few = client.post("/v1/devices", json=document(cycles, SIZES[:4]))
        assert few.status_code == 422
        assert "at least 5" in few.json()["detail"]
        unknown = client.post("/v1/devices", json=document(cycles, SIZES[:8], descriptor={"cpu": "z80"}))
        assert unknown.status_code == 422
        assert CLOSEST in json.dumps(unknown.json())
        wrong = client.post("/v1/devices", json=document({s: 1e6 * c for s, c in cycles.items()}, SIZES[:8]))
        assert "unit" in wrong.json()["detail"]

        added = client.post("/v1/devices", json=document(cycles, SIZES[:8], descriptor={"cpu": CLOSEST}))
        assert added.status_code == 201, added.text
        assert added.json()["fit"]["learner"] == "known-cpu-ridge"
        asked = {"device": "new-core", "inputs": [program(SIZES[8]), {"mlir": "module {"}]}
        good, bad = client.post("/v1/predict/mlir", json=asked).json()["results"]
        (found,) = good["predictions"]
        assert found["target"] == "cycles"
        assert found["value"] == pytest.approx(cycles[SIZES[8]], rel=0.05)
        assert found["low"] <= found["value"] <= found["high"]
        assert bad["error"]["where"].startswith("line 1")
        plan = {"kind": "mlir", "device": "new-core", "n": 1, "candidates": [program(8), program(24), {"mlir": MATMUL}]}
        (next_one,) = client.post("/v1/devices/plan", json=plan).json()["inputs"]
        assert next_one != program(24)

    (tmp_path / "last.mlir").write_text(program(SIZES[9])["mlir"])
    (tmp_path / "more.csv").write_text(f"file,value,unit\nlast.mlir,{cycles[SIZES[9]]},cycles\n")
    more = ["devices", "measure-more", "new-core", "--kind", "mlir", "--measurements", str(tmp_path / "more.csv")]
    assert main([*more, "--url", url]) == 0
    assert "9 measurements" in capsys.readouterr().out


def test_what_is_not_of_the_descriptor_table_is_refused_by_name(cycles: dict[int, float]) -> None:
    from costmodel.mlir.devices import CpuAdapter

    adapter = CpuAdapter(Predictor.load(PRETRAINED / "mlir"))
    raws, values = [program(size) for size in SIZES], [cycles[size] for size in SIZES]
    with pytest.raises(UnknownNameError, match="znver4"):
        adapter.adapt(raws, values, descriptor={"cpu": "pentium"})
    told = adapter.adapt(raws, values, descriptor={"cpu": CLOSEST}).answer(raws[:1])
    untold = adapter.adapt(raws, values).answer(raws[:1])
    width = [math.log(answer.high / answer.low) for answer in (*told, *untold)]  # type: ignore[union-attr]
    assert width[0] < width[1]
