"""The loader of measured networks: what it reads, and what it refuses, naming file, column and row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from costmodel.corpora.host_networks import load_corpus, profile_of
from costmodel.corpus import CorpusError
from costmodel.zoo import NetworkSpec, sample_specs
from featurizers.network import NetworkFeaturizer

SPLITS = ["train", "validation", "test_seen", "test_unseen"]


@pytest.fixture(scope="module")
def specs() -> list[NetworkSpec]:
    return [min(sample_specs(16, seed=5), key=lambda spec: len(json.dumps(spec.params)))] * 4


@pytest.fixture
def folder(tmp_path: Path, specs: list[NetworkSpec]) -> Path:
    (tmp_path / "data").mkdir()
    write(tmp_path, "networks", networks(specs))
    write(tmp_path, "latency", latency())
    return tmp_path


def networks(specs: list[NetworkSpec]) -> dict[str, list[object]]:
    return {
        "network_id": [f"net{i}" for i in range(4)],
        "family": [spec.family for spec in specs],
        "params": [json.dumps(spec.params) for spec in specs],
        "seed": [spec.seed for spec in specs],
        "flops": [1_000_000] * 4,
        "split": list(SPLITS),
    }


def latency() -> dict[str, list[object]]:
    return {
        "network_id": ["net0", "net1", "net2", "net3", "net0"],
        "device": ["cpu-ort-fp32-b1"] * 4 + ["cpu-ort-fp32-b8"],
        "batch": [1, 1, 1, 1, 8],
        "latency_ms": [1.0, 2.0, None, 4.0, 8.0],
        "spread": [0.01, 0.02, None, 0.2, 0.01],
        "rounds": [6, 6, 0, 6, 6],
    }


def write(folder: Path, name: str, columns: dict[str, list[object]]) -> None:
    pq.write_table(pa.table(columns), folder / "data" / f"{name}.parquet")


def test_labels_are_grouped_by_device_and_failures_left_out(folder: Path) -> None:
    corpus = load_corpus(folder)
    by_device = {labels.device.name: labels for labels in corpus.labels}
    assert by_device["cpu-ort-fp32-b1"].value.tolist() == [1.0, 2.0, 4.0]
    assert by_device["cpu-ort-fp32-b1"].noise.tolist() == [0.01, 0.02, 0.2]
    assert by_device["cpu-ort-fp32-b8"].value.tolist() == [8.0]
    assert by_device["cpu-ort-fp32-b1"].device.profile == "onnxruntime"


def test_the_batch_of_a_device_is_the_batch_of_its_graphs(folder: Path) -> None:
    corpus = load_corpus(folder)
    featurizer = NetworkFeaturizer()
    of_device = {}
    for labels in corpus.labels:
        subject = featurizer.parse(corpus.raws[int(labels.subject[0])])
        of_device[labels.device.name] = featurizer.features([subject], profile="onnxruntime")
    one, eight = of_device["cpu-ort-fp32-b1"], of_device["cpu-ort-fp32-b8"]
    assert eight.column("batch")[0] == 8 * one.column("batch")[0]
    assert eight.column("flops")[0] == pytest.approx(8 * one.column("flops")[0], rel=0.01)


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "message"),
    [
        ("latency", "latency_ms", 1, -3.0, "latency.parquet, column 'latency_ms', row 1: must be at least"),
        ("latency", "latency_ms", 1, float("nan"), "column 'latency_ms', row 1: must be finite"),
        ("latency", "latency_ms", 0, 1e9, "column 'latency_ms', row 0: must be at most 100000"),
        ("latency", "spread", 3, float("inf"), "column 'spread', row 3: must be finite"),
        ("latency", "network_id", 0, "ghost", "'ghost' is not in networks.parquet"),
        ("latency", "device", 0, "cpu-abacus-b1", "'cpu-abacus-b1' names none of the runtimes"),
        ("networks", "split", 2, "exam", "networks.parquet, column 'split', row 2: must be one of train"),
        ("networks", "network_id", 1, "net0", "every network must be there once"),
    ],
)
def test_a_fault_in_the_data_is_named(
    folder: Path, specs: list[NetworkSpec], table: str, column: str, row: int, value: object, message: str
) -> None:
    columns = networks(specs) if table == "networks" else latency()
    columns[column][row] = value
    write(folder, table, columns)
    with pytest.raises(CorpusError, match=message):
        load_corpus(folder)


def test_a_missing_file_column_or_type_is_named(folder: Path) -> None:
    columns = latency()
    del columns["spread"]
    write(folder, "latency", columns)
    with pytest.raises(CorpusError, match="has no column 'spread'. It has: network_id, device"):
        load_corpus(folder)
    write(folder, "latency", latency() | {"latency_ms": ["fast"] * 5})
    with pytest.raises(CorpusError, match="'latency_ms': must hold number. It holds string"):
        load_corpus(folder)
    (folder / "data" / "latency.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(CorpusError, match="not readable as Parquet"):
        load_corpus(folder)
    (folder / "data" / "latency.parquet").unlink()
    with pytest.raises(CorpusError, match=r"There is no file latency\.parquet"):
        load_corpus(folder)


def test_every_runtime_has_its_fusion_rules() -> None:
    assert profile_of("xeon-emr-ort-fp32-noopt-b1") == "onnxruntime-noopt"
    assert profile_of("xeon-emr-ort-int8-b1") == "onnxruntime-int8"
    assert profile_of("sim-scalesim-64x64") == "sim"
    assert np.all([profile_of(name) for name in ("a-openvino-fp32-b1", "a-torch-eager-fp32-b1")])
