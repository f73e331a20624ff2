"""The committed data set is what its description says it is."""

import hashlib
import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from costmodel.measure.dataset import UNSEEN_FAMILIES, specs_of, splits
from costmodel.zoo import FAMILIES, size
from costmodel.zoo.catalogue import sample_family_of

FOLDER = Path(__file__).parents[3] / "datasets" / "host_networks"
DESCRIPTION = yaml.safe_load((FOLDER / "dataset.yaml").read_text())
TABLES = [name for name in DESCRIPTION["files"] if name.endswith(".parquet")]


@pytest.mark.parametrize("name", list(DESCRIPTION["files"]))
def test_sizes_and_checksums(name: str) -> None:
    data = (FOLDER / "data" / name).read_bytes()
    assert len(data) == DESCRIPTION["files"][name]["bytes"]
    assert hashlib.sha256(data).hexdigest() == DESCRIPTION["files"][name]["sha256"]


def test_it_is_small_enough_to_be_committed() -> None:
    assert sum(entry["bytes"] for entry in DESCRIPTION["files"].values()) < 10_000_000


@pytest.mark.parametrize("name", TABLES)
def test_columns_and_rows(name: str) -> None:
    schema = pq.read_schema(FOLDER / "data" / name)
    expected = {column: field["dtype"] for column, field in DESCRIPTION["files"][name]["columns"].items()}
    assert {field.name: str(field.type) for field in schema} == expected
    assert pq.read_metadata(FOLDER / "data" / name).num_rows == DESCRIPTION["files"][name]["rows"]


def test_networks_are_written_again_by_the_generator() -> None:
    table = pq.read_table(FOLDER / "data" / "networks.parquet")
    specs = specs_of(table)
    for row in range(0, len(specs), 37):
        found = size(specs[row])
        stored = table.slice(row, 1).to_pylist()[0]
        assert (found.flops, found.parameters, found.nodes) == (stored["flops"], stored["parameters"], stored["nodes"])
    assert table["split"].to_pylist() == splits(specs)


def test_the_seed_gives_these_networks() -> None:
    generator = DESCRIPTION["generator"]
    table = pq.read_table(FOLDER / "data" / "networks.parquet")
    family = next(iter(FAMILIES))
    stored = [s for s in specs_of(table) if s.family == family]
    assert sample_family_of(family, generator["networks"], generator["seed"]) == stored


def test_every_network_has_a_row_on_every_device() -> None:
    networks = pq.read_table(FOLDER / "data" / "networks.parquet")
    latency = pq.read_table(FOLDER / "data" / "latency.parquet")
    devices = set(latency["device"].to_pylist())
    pairs = set(zip(latency["network_id"].to_pylist(), latency["device"].to_pylist(), strict=True))
    assert pairs == {(n, d) for n in networks["network_id"].to_pylist() for d in devices}
    assert latency.num_rows == len(pairs)
    assert len(devices) >= 6


def test_a_label_or_a_reason() -> None:
    latency = pq.read_table(FOLDER / "data" / "latency.parquet")
    done = pc.equal(latency["status"], "ok")
    measured, others = latency.filter(done), latency.filter(pc.invert(done))
    assert measured["latency_ms"].null_count == 0
    assert pc.min(measured["latency_ms"]).as_py() > 0
    assert others["latency_ms"].null_count == others.num_rows
    assert pc.min(pc.utf8_length(others["reason"])).as_py() > 0


def test_most_networks_are_measured_in_six_rounds_on_each_device() -> None:
    latency = pq.read_table(FOLDER / "data" / "latency.parquet")
    for device in set(latency["device"].to_pylist()):
        rows = latency.filter(pc.and_(pc.equal(latency["device"], device), pc.equal(latency["status"], "ok")))
        assert rows.num_rows >= 800
        assert pc.quantile(rows["rounds"], 0.5)[0].as_py() >= 6


def test_two_families_are_held_out_whole() -> None:
    table = pq.read_table(FOLDER / "data" / "networks.parquet").to_pylist()
    assert {r["family"] for r in table if r["split"] == "test_unseen"} == set(UNSEEN_FAMILIES)
    assert all(r["split"] == "test_unseen" for r in table if r["family"] in UNSEEN_FAMILIES)


def test_node_times_add_up_to_the_latency() -> None:
    nodes = pq.read_table(FOLDER / "data" / "nodes.parquet", columns=["network_id", "device", "latency_ms"])
    totals = nodes.group_by(["network_id", "device"]).aggregate([("latency_ms", "sum")]).to_pylist()
    latency = pq.read_table(FOLDER / "data" / "latency.parquet").to_pylist()
    label = {(r["network_id"], r["device"]): r["latency_ms"] for r in latency}
    for row in totals:
        assert row["latency_ms_sum"] == pytest.approx(label[row["network_id"], row["device"]], rel=1e-3)


def test_the_machine_is_described() -> None:
    machine = json.loads((FOLDER / "data" / "machine.json").read_text())
    latency = pq.read_table(FOLDER / "data" / "latency.parquet", columns=["device"])
    assert {d for d in latency["device"].to_pylist() if not d.startswith(machine["host"])} == set()
    assert set(machine["runtimes"]) == {d.removeprefix(machine["host"] + "-") for d in latency["device"].to_pylist()}
