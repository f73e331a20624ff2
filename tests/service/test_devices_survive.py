"""What was acknowledged survives kill -9 of the real service; replicas on one database see each other's devices."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from costmodel.benchmarks.servers import our_server
from costmodel.client import Client
from costmodel.client.errors import ServiceError
from costmodel.devices.wire import NewDevice, read
from featurizers.errors import InputError
from tests.measured_phone import cells, measured
from tests.postgres import new_database, running_postgres
from tests.served_network import network_models

__all__ = ["network_models"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.db'}"
        return
    with running_postgres() as server:
        yield new_database(server, "survive")


def _new(name: str) -> NewDevice:
    return read(NewDevice, {"name": name, "measurements": measured(4)})


def test_nothing_acknowledged_is_lost(network_models: Path, url: str) -> None:
    acknowledged: list[str] = []
    with our_server(network_models, {"COSTMODEL_DATABASE_URL": url}) as server:

        def write() -> None:
            with Client(f"http://127.0.0.1:{server.port}") as client:
                for i in range(1000):
                    try:
                        acknowledged.append(client.add_device(_new(f"phone-{i}"), f"key-{i}").name)
                    except ServiceError:
                        return

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 5 and writer.is_alive():
            time.sleep(0.01)
        os.kill(server.pid, signal.SIGKILL)
        writer.join()
    assert len(acknowledged) >= 5
    with (
        our_server(network_models, {"COSTMODEL_DATABASE_URL": url}) as server,
        Client(f"http://127.0.0.1:{server.port}") as client,
    ):
        kept = {device.name for device in client.devices() if device.descriptor.get("added")}
        assert set(acknowledged) <= kept
        assert len(kept) <= len(acknowledged) + 1
        last = acknowledged[-1]
        assert client.device(last).fit.measurements == 4
        # The answer that was lost on the way is given again, and nothing happens twice.
        number = len(acknowledged)
        assert client.add_device(_new(f"phone-{number}"), f"key-{number}").version == 1


def test_replicas_see_each_other_within_two_seconds(network_models: Path, url: str) -> None:
    variables = {"COSTMODEL_DATABASE_URL": url}
    raw = dict(cells(1)[0])
    with our_server(network_models, variables) as one, our_server(network_models, variables) as two:
        first, second = (Client(f"http://127.0.0.1:{server.port}") for server in (one, two))
        with first, second:
            first.add_device(_new("phone"))
            (expected,) = first.predict("network", [raw], ["phone"])
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline:
                try:
                    (found,) = second.predict("network", [raw], ["phone"])
                    break
                except InputError:
                    time.sleep(0.05)
            else:
                pytest.fail("the other replica does not know the device after two seconds")
            assert found == expected
