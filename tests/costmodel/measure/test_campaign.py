"""A campaign on two real networks: killed half-way it goes on where it stopped, and its tables are complete."""

from collections import Counter
from pathlib import Path

import onnx
import pytest

from costmodel.measure.artefacts import prepare_network, status_of
from costmodel.measure.campaign import Campaign, stages
from costmodel.measure.dataset import UNSEEN_FAMILIES, networks_table, specs_of, splits
from costmodel.measure.devices import device_name
from costmodel.measure.journal import read_journal
from costmodel.measure.machine import OtherMachineError, claim_machine
from costmodel.measure.node_names import node_origins
from costmodel.measure.runtimes.ort import save_optimised
from costmodel.measure.tables import latency_table, make_labels, nodes_table, read_rounds, rounds_table
from costmodel.zoo import NetworkSpec, build, sample_specs, size

KEYS = ["ort-fp32-b1", "ort-fp32-noopt-b1"]
SMALL = sorted((s for s in sample_specs(48, seed=2)), key=lambda s: size(s).flops)[:2]
ROUNDS = 2


def run_campaign(folder: Path, stop_after: int | None = None) -> bool:
    """Run, or be stopped by an exception after some networks, as a kill would."""
    campaign = Campaign(folder, [s.network_id for s in SMALL], ROUNDS, KEYS, calibration_s=0.1)
    left = [stop_after]

    def stop() -> None:
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

    try:
        return campaign.run(stop)
    finally:
        campaign.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign that was interrupted once, in the middle of a line."""
    work = tmp_path_factory.mktemp("campaign")
    for spec in SMALL:
        prepare_network(work / "artefacts", spec, KEYS)
    with pytest.raises(KeyboardInterrupt):
        run_campaign(work, stop_after=2)
    with (work / "journal.jsonl").open("a") as file:
        file.write('{"network":"half a li')
    assert run_campaign(work)
    return work


def test_every_network_is_measured_once_per_stage_and_device(folder: Path) -> None:
    counts = Counter((r["network"], r["stage"], r["device"]) for r in read_journal(folder / "journal.jsonl"))
    assert set(counts) == {(s.network_id, stage, key) for s in SMALL for stage in stages(ROUNDS) for key in KEYS}
    assert set(counts.values()) == {1}


def test_a_finished_campaign_has_nothing_left_to_do(folder: Path) -> None:
    before = (folder / "journal.jsonl").read_bytes()
    assert run_campaign(folder)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_rounds_are_interleaved(folder: Path) -> None:
    order = [r["stage"] for r in read_journal(folder / "journal.jsonl")]
    assert order == sorted(order, key=stages(ROUNDS).index)


def test_tables_have_a_row_for_everything(folder: Path) -> None:
    measured, failures = read_rounds(folder / "journal.jsonl")
    quiet, labels, exponents = make_labels(measured)
    assert set(exponents) == set(KEYS)
    latency = latency_table(SMALL, folder / "artefacts", labels, failures).to_pylist()
    done = [r for r in latency if r["status"] == "ok"]
    assert {(r["network_id"], r["device"]) for r in done} == {
        (s.network_id, device_name(k)) for s in SMALL for k in KEYS
    }
    assert all(r["latency_ms"] > 0 and r["rounds"] == ROUNDS for r in done)
    assert all(r["latency_ms"] is None and r["reason"] for r in latency if r["status"] != "ok")
    assert rounds_table(measured, labels, quiet).num_rows == len(SMALL) * len(KEYS) * ROUNDS


def test_node_rows_follow_execution_and_name_the_original_nodes(folder: Path) -> None:
    measured, _ = read_rounds(folder / "journal.jsonl")
    quiet, labels, _ = make_labels(measured)
    rows = nodes_table(folder, SMALL, labels, quiet).to_pylist()
    for spec in SMALL:
        expected = [n.name for n in build(spec, weights=False).graph.node]
        plain = [r for r in rows if r["network_id"] == spec.network_id and r["device"] == device_name(KEYS[1])]
        assert [r["node"] for r in plain] == expected
        assert [r["originals"] for r in plain] == [[name] for name in expected]
        fused = [r for r in rows if r["network_id"] == spec.network_id and r["device"] == device_name(KEYS[0])]
        assert {name for r in fused for name in r["originals"]} == set(expected)


def test_profiles_are_taken_among_the_rounds() -> None:
    assert stages(2) == ("r0", "r1", "profile")
    assert stages(6) == ("r0", "r1", "r2", "profile", "r3", "r4", "profile2", "r5")


def test_a_device_that_cannot_run_a_network_is_recorded_with_the_reason(tmp_path: Path) -> None:
    large = NetworkSpec("large", "vgg", {"resolution": 224, "width": 64, "depths": [2, 2, 2], "batch_norm": False,
                        "kernel": 3, "hidden": 0, "classes": 10}, 0)  # fmt: skip
    prepare_network(tmp_path, large, ["ort-fp32-b8"])
    status = status_of(tmp_path, "large")
    assert status is not None
    assert status["ort-fp32-b8"].startswith("not measured")
    assert status_of(tmp_path, "nobody") is None


def test_another_cpu_is_refused(folder: Path) -> None:
    machine = claim_machine(folder, KEYS)
    path = folder / "machine.json"
    text = path.read_text()
    path.write_text(text.replace(f'"host": "{machine["host"]}"', '"host": "abacus"'))
    with pytest.raises(OtherMachineError, match="abacus"):
        claim_machine(folder, KEYS)
    path.write_text(text)
    assert claim_machine(folder, KEYS) == machine


def test_splits_hold_whole_families_out_and_divide_the_others() -> None:
    specs = [NetworkSpec(f"{f}-{i}", f, {}, 0) for f in ("resnet", *UNSEEN_FAMILIES) for i in range(20)]
    found = splits(specs)
    assert Counter(found[:20]) == {"train": 14, "validation": 3, "test_seen": 3}
    assert set(found[20:]) == {"test_unseen"}
    assert found == splits(specs)


def test_the_networks_table_gives_the_specifications_back() -> None:
    assert specs_of(networks_table(SMALL)) == SMALL


def test_fused_nodes_name_all_their_original_nodes(tmp_path: Path) -> None:
    spec = next(s for s in sample_specs(16, seed=9) if s.family == "resnet")
    original = build(spec)
    save_optimised(original.SerializeToString(), tmp_path / "model.onnx")
    origins = node_origins(original, onnx.load(tmp_path / "model.onnx"))
    names = {name for origin in origins.values() for name in origin.originals}
    assert names == {n.name for n in original.graph.node}
