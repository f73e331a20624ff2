"""Devices as rows: what was written is read, in every version, once per idempotency key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from costmodel.state import Database, DeviceRecord, DeviceStore, Measurement
from costmodel.state.devices import ChangedError, NameTakenError
from costmodel.state.idempotency import Idempotency
from featurizers.errors import InputError


def _name(device: DeviceRecord, at: float) -> bytes:
    return f"{device.name} {device.version}".encode()


def _add(store: DeviceStore, device: DeviceRecord, request: Idempotency | None = None) -> DeviceRecord:
    store.add(device, "meta", {"outliers": []}, _name, request)
    found = store.get(device.name)
    assert found is not None
    return found


def test_what_was_added_is_read(store: DeviceStore, phone: DeviceRecord) -> None:
    found = _add(store, phone)
    assert len(found.id) == 32
    assert store.get(found.id) == found
    assert replace(found, id="", version=0, created_at=0.0, measurements=()) == replace(phone, measurements=())
    assert found.measurements == tuple(replace(m, version=1) for m in phone.measurements)
    assert store.heads() == {found.id: 1}


def test_files_come_back_as_they_were(store: DeviceStore, phone: DeviceRecord) -> None:
    content = os.urandom(1000) + bytes(100_000)
    measured = Measurement({"onnx": content, "dims": {"batch": 1}}, 2.0, 2.0, "ms", {})
    found = _add(store, replace(phone, measurements=(measured,)))
    assert found.measurements[0].raw == {"onnx": content, "dims": {"batch": 1}}


def test_a_name_is_given_once_among_the_living(store: DeviceStore, phone: DeviceRecord) -> None:
    first = _add(store, phone)
    with pytest.raises(NameTakenError, match="phone"):
        _add(store, phone)
    assert store.remove(first.id)
    assert not store.remove(first.id)
    assert store.get("phone") is None
    second = _add(store, phone)
    assert second.id != first.id
    assert [version.version for version in store.versions(first.id)] == [1]


def test_more_measurements_make_a_version(store: DeviceStore, phone: DeviceRecord) -> None:
    first = _add(store, phone)
    before = store.revision()
    more = Measurement({"nasbench201": "d"}, 4.0, 4.0, "ms", {})
    store.extend(first, [more], "transfer", {"drift": 1.25}, _name)
    found = store.get("phone")
    assert found is not None
    assert found.version == 2
    assert found.measurements == (*first.measurements, replace(more, version=2))
    assert store.revision() > before
    assert [(v.version, v.learner, v.report) for v in store.versions(first.id)] == [
        (1, "meta", {"outliers": []}), (2, "transfer", {"drift": 1.25}),
    ]  # fmt: skip
    with pytest.raises(ChangedError):
        store.extend(first, [more], "meta", {}, _name)
    store.remove(first.id)
    with pytest.raises(ChangedError):
        store.extend(found, [more], "meta", {}, _name)


def test_a_repeated_request_gets_the_first_answer(store: DeviceStore, phone: DeviceRecord) -> None:
    request = Idempotency("POST /v1/devices", "key-1", b"body")
    assert store.recall(request) is None
    first = store.add(phone, "meta", {}, _name, request)
    assert (first.status, first.answer) == (201, b"phone 1")
    assert store.add(phone, "meta", {}, _name, request) == first
    assert store.recall(request) == first
    assert len(store.heads()) == 1
    with pytest.raises(InputError, match="used for another request"):
        store.recall(replace(request, request=b"other"))
    assert store.recall(replace(request, scope="other")) is None


def test_a_refused_write_uses_no_key(store: DeviceStore, phone: DeviceRecord) -> None:
    _add(store, phone)
    request = Idempotency("POST /v1/devices", "key-1", b"body")
    with pytest.raises(NameTakenError):
        store.add(phone, "meta", {}, _name, request)
    assert store.recall(request) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_keys_have_a_form(key: str) -> None:
    with pytest.raises(InputError, match="Idempotency-Key"):
        Idempotency("scope", key, b"")


def test_writers_at_once_lose_nothing(url: str, database_of: Callable[[str], Database], phone: DeviceRecord) -> None:
    errors: list[Exception] = []

    def write(number: int) -> None:
        try:
            own = DeviceStore(database_of(url))
            for i in range(5):
                own.add(replace(phone, name=f"phone-{number}-{i}"), "meta", {}, _name)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(DeviceStore(database_of(url)).heads()) == 20


_WRITER = """
import sys
from dataclasses import replace
from costmodel.state import Database, DeviceRecord, DeviceStore, Measurement
store = DeviceStore(Database(sys.argv[1]))
measured = (Measurement({"nasbench201": "a"}, 1.0, 1.0, "ms", {}),)
device = DeviceRecord("x", "network", "nasbench201", "latency_ms", 1, {}, {}, measured)
for i in range(100000):
    store.add(replace(device, name=f"d{i}"), "meta", {}, lambda d, at: b"")
    print(i, flush=True)
"""


def test_what_was_acknowledged_survives_kill(url: str, database_of: Callable[[str], Database]) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        acknowledged = 20 + len(process.stdout.read().splitlines())
    store = DeviceStore(database_of(url))
    records = store.load(list(store.heads()))
    assert acknowledged <= len(records) <= acknowledged + 1
    assert {f"d{i}" for i in range(acknowledged)} <= {record.name for record in records}
    assert all(len(record.measurements) == 1 for record in records)
