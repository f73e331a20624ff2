"""`costmodel devices plan|add|measure-more|show|remove`: in process, over HTTP and by the client, the same."""

from __future__ import annotations

import asyncio
import csv
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from costmodel.client import AsyncClient, Client, RefusedError
from costmodel.devices.wire import MoreMeasurements, NewDevice, PlanQuestion, read
from costmodel.zoo import nasbench201_model
from service import Settings, create_app
from tests.costmodel.cli.conftest import Run
from tests.measured_phone import BAD_MEASUREMENTS, bad_measurements, cells, latency_ms, measured
from tests.served_network import CELLS, network_models

__all__ = ["network_models"]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    monkeypatch.setenv("COSTMODEL_DATABASE_URL", url)
    return url


@pytest.fixture
def url(network_models: Path, database: str) -> Iterator[str]:
    settings = Settings(models_dir=str(network_models), use_registry=False, devices_interval_s=0.05)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def here(network_models: Path, database: str) -> tuple[str, str]:
    return "--models-dir", str(network_models)


def _table(path: Path, space: str = "nasbench201", n: int = 10) -> str:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([space, "latency_ms"])
        raws = cells(n, 0, space)
        for raw, value in zip(raws, latency_ms(raws, space), strict=True):
            text = raw[space] if isinstance(raw[space], str) else json.dumps(raw[space])
            writer.writerow([text, value])
    return str(path)


def _stable(device: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two devices that are the same."""
    kept = {name: value for name, value in device.items() if name not in ("id", "name", "created_at")}
    return kept | {"versions": [{**version, "created_at": 0} for version in device["versions"]]}


def test_library_service_and_command_line_say_the_same(run: Run, here: Any, url: str, tmp_path: Path) -> None:
    table = _table(tmp_path / "measured.csv")
    code, out, err = run("devices", "add", "by-command", "--measurements", table, "--json", *here)
    assert (code, err) == (0, "")
    in_process = json.loads(out)
    code, out, _ = run("devices", "add", "by-url", "--measurements", table, "--json", "--url", url)
    assert code == 0
    assert _stable(json.loads(out)) == _stable(in_process)
    with Client(url) as client:
        new = read(NewDevice, {"name": "by-client", "measurements": measured()})
        by_client = client.add_device(new)
        assert client.device("by-client") == by_client
    assert by_client.fit.residuals[3].measured == in_process["fit"]["residuals"][3]["measured"]
    assert by_client.fit.median_error == in_process["fit"]["median_error"]

    more = measured(5, 3)
    (tmp_path / "more.json").write_text(json.dumps(more))
    command = ("devices", "measure-more", "by-command", "--measurements", str(tmp_path / "more.json"), "--json")
    in_process = json.loads(run(*command, *here)[1])

    async def by_async() -> Any:
        async with AsyncClient(url) as client:
            grown = await client.measure_device("by-client", read(MoreMeasurements, {"measurements": more}))
            assert await client.device(grown.id) == grown
            plan = await client.plan_device(PlanQuestion(device="by-client", n=3))
            return grown, plan, await client.remove_device("by-url")

    grown, plan, removed = asyncio.run(by_async())
    assert (grown.version, removed.name) == (in_process["version"], "by-url") == (2, "by-url")
    assert grown.fit.median_error == in_process["fit"]["median_error"]
    planned = json.loads(run("devices", "plan", "--device", "by-command", "-n", "3", "--json", *here)[1])
    assert planned["inputs"] == plan.inputs

    question = ("--nasbench201", cells(1, 8)[0]["nasbench201"], "--json")
    first = json.loads(run("predict", *question, "--device", "by-command", *here)[1])
    second = json.loads(run("predict", *question, "--device", "by-client", "--url", url)[1])
    values = [answer["results"][0]["predictions"][0]["value"] for answer in (first, second)]
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("over_http", [False, True])
def test_refusals_are_the_same(run: Run, here: Any, url: str, tmp_path: Path, over_http: bool) -> None:
    where = ("--url", url) if over_http else here
    table = _table(tmp_path / "measured.csv")
    assert run("devices", "add", "phone", "--measurements", table, *where)[0] == 0
    code, _, err = run("devices", "add", "phone", "--measurements", table, *where)
    assert code == 1
    assert "The device name 'phone' is taken" in err
    code, _, err = run("devices", "show", "none", *where)
    assert code == 1
    assert "added device 'none' is not known" in err
    code, _, err = run("devices", "add", "other", "--measurements", _table(tmp_path / "few.csv", n=2), *where)
    assert code == 2
    assert "needs at least 3 measurements" in err
    code, _, err = run("devices", "plan", "--space", "darts", *where)
    assert code == 2
    assert "darts" in err


@pytest.mark.parametrize("case", BAD_MEASUREMENTS)
def test_bad_measurements_are_refused_with_the_reason(run: Run, here: Any, tmp_path: Path, case: str) -> None:
    given, reason = bad_measurements(case)
    path = tmp_path / "measured.json"
    path.write_text(json.dumps(given))
    code, out, err = run("devices", "add", "phone", "--measurements", str(path), *here)
    assert (code, out) == (2, "")
    assert reason in err
    assert run("devices", "show", "phone", *here)[0] == 1


def test_a_plan_is_filled_in_and_added(run: Run, here: Any, tmp_path: Path) -> None:
    for space in ("nasbench201", "fbnet", "ofa"):
        code, out, _ = run("devices", "plan", "--space", space, "-n", "5", "--csv", *here)
        assert code == 0
        path = tmp_path / f"{space}.csv"
        path.write_text(out)
        rows = list(csv.DictReader(out.splitlines()))
        raws = [{space: row[space] if space == "nasbench201" else json.loads(row[space])} for row in rows]
        filled = [f"{line}{value}" for line, value in zip(out.splitlines()[1:], latency_ms(raws, space), strict=True)]
        path.write_text("\n".join([out.splitlines()[0], *filled]))
        code, out, err = run("devices", "add", f"my-{space}", "--measurements", str(path), *here)
        assert (code, err) == (0, "")
        assert f"my-{space}: network {space}, batch 1, version 1, 5 measurements" in out
    listed = run("devices", *here)[1]
    assert "my-fbnet" in listed
    assert run("devices", "remove", "my-fbnet", *here)[1] == "my-fbnet: removed.\n"
    assert "my-fbnet" not in run("devices", "list", *here)[1]


def test_files_beside_the_table(run: Run, here: Any, tmp_path: Path) -> None:
    lines = ["onnx,value,unit,condition.threads"]
    for i, text in enumerate(CELLS[40:46]):
        (tmp_path / f"{i}.onnx").write_bytes(nasbench201_model(text).SerializeToString())
        lines.append(f"{i}.onnx,{1000 + 100 * text.count('conv_3x3')},us,2")
    (tmp_path / "measured.csv").write_text("\n".join(lines))
    command = ("devices", "add", "board", "--measurements", str(tmp_path / "measured.csv"), "--json")
    device = json.loads(run(*command, *here)[1])
    assert device["space"] == "onnx"
    assert device["fit"]["residuals"][0]["measured"] == pytest.approx(1 + 0.1 * CELLS[40].count("conv_3x3"))
    code, out, _ = run("predict", str(tmp_path / "5.onnx"), "--device", "board", *here)
    assert code == 0
    assert "board" in out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "first line"),
        ("nasbench201,latency_ms\na,b", "must hold numbers"),
        ("nasbench201,latency_ms\na", "a value per column"),
        ("onnx,latency_ms\nnone.onnx,1", "must be readable"),
    ],
)
def test_a_wrong_table_is_told(run: Run, here: Any, tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(content)
    code, _, err = run("devices", "add", "phone", "--measurements", str(path), *here)
    assert code == 2
    assert reason in err


def test_the_client_refuses_as_the_service_does(url: str) -> None:
    with Client(url) as client, pytest.raises(RefusedError, match="'none' is not known"):
        client.remove_device("none")
