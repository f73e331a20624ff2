"""Loaders: what the cards promise, and the first fault by name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from costmodel.corpus import CorpusError
from costmodel.cpu.mlperf import load_results
from costmodel.cpu.perfcastdb import scaled_scores
from costmodel.cpu.pull import CARDS, pull, read_card
from costmodel.cpu.sparecores import SCORES, SERVERS, load_scores, target_name

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

DATASETS = Path(__file__).parents[3] / "datasets"


def server(key: str, **more: Any) -> dict[str, Any]:
    return {
        "server_key": key,
        "vendor": "aws",
        "server": key.split("/")[1],
        "cpu_model_name": "AMD EPYC 7R32",
        "cpu_vendor_id": "AuthenticAMD",
        "logical_cpus": 4,
        "flags": "avx avx2",
        **more,
    }


def score(key: str, config: str, value: float, benchmark: str = "bw_mem") -> dict[str, Any]:
    return {
        "server_key": key,
        "benchmark": benchmark,
        "config": config,
        "score": value,
        "unit": "MB/s",
        "higher_is_better": True,
    }


def write(folder: Path, servers: list[dict[str, Any]], scores: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(servers), folder / SERVERS)
    pq.write_table(pa.Table.from_pylist(scores), folder / SCORES)
    return folder


def test_table_of_servers_by_targets(tmp_path: Path):
    scores = [score("aws/a", "rd|256.00MB", 40000.0), score("aws/b", "rd|256.00MB", 52.0)]
    scores.append(score("aws/b", "cores=all", 7.0, "stressng_cpu"))
    table = load_scores(write(tmp_path, [server("aws/a"), server("aws/b")], scores))
    assert [target.name for target in table.targets] == ["bw_mem:rd:256.00MB", "stressng_cpu:cores=all"]
    assert table.column("bw_mem:rd:256.00MB")[0] == 40000
    assert table.left_out == {"bw_mem readings of swapping machines": 1}
    assert table.specs[0].microarchitecture == "zen2"
    with pytest.raises(CorpusError, match="has no benchmark 'x'"):
        table.column("x")


def test_a_bar_never_stays_in_a_targets_name():
    assert target_name("geekbench6", "multi|Score") == "geekbench6:multi:Score"


@pytest.mark.parametrize(
    ("servers", "scores", "says"),
    [
        ([server("aws/a"), server("aws/a")], [score("aws/a", "c", 1.0)], "must be there once"),
        ([server("aws/a")], [score("aws/b", "c", 1.0)], "'aws/b' is not in"),
        ([server("aws/a")], [score("aws/a", "c", 1.0), score("aws/a", "d", -1.0)], "row 1: must be positive"),
    ],
)
def test_the_first_fault_is_named(tmp_path: Path, servers: Any, scores: Any, says: str):
    with pytest.raises(CorpusError, match=says):
        load_scores(write(tmp_path, servers, scores))


def test_missing_files_and_columns_are_named(tmp_path: Path):
    with pytest.raises(CorpusError, match="has no file"):
        load_scores(tmp_path)
    with pytest.raises(CorpusError, match="has no file"):
        load_results(tmp_path)
    write(tmp_path, [{"server_key": "aws/a"}], [score("aws/a", "c", 1.0)])
    with pytest.raises(CorpusError, match="has no column 'vendor'"):
        load_scores(tmp_path)


@pytest.mark.parametrize("name", CARDS)
def test_cards_name_licence_origin_and_checksums(name: str):
    card = read_card(DATASETS / name)
    assert card["name"] == name
    assert card["licence"]
    assert card["origin"]
    assert all(len(entry["sha256"]) == 64 for entry in card["files"].values())
    assert (DATASETS / name / "README.md").is_file()


def test_pull_refuses_another_file(tmp_path: Path):
    mirror = tmp_path / "mirror" / "m"
    mirror.mkdir(parents=True)
    (mirror / "t.parquet").write_bytes(b"data")
    card = {"name": "x", "mirror_folder": "m", "files": {"t.parquet": {"sha256": hashlib.sha256(b"data").hexdigest()}}}
    assert pull(card, tmp_path / "mirror", tmp_path / "out")[0].read_bytes() == b"data"
    (mirror / "t.parquet").write_bytes(b"other")
    with pytest.raises(CorpusError, match="its sha256 is"):
        pull(card, tmp_path / "mirror", tmp_path / "out")


def test_perfcastdb_scales_rates_by_core_ghz():
    def run(side: str, cores: int, value: float) -> dict[str, Any]:
        return {
            "benchmark": "SPECrate2017_int_base",
            "test_name": "500.perlbench_r",
            "value": value,
            "run_id": side,
            "cpu_model": "Intel(R) Xeon(R) Custom",
            "logical_cpus": cores,
            "threads_per_core": 1,
            "cores_per_socket": cores,
            "sockets": 1,
            "allcore_max_freq_ghz": 3.0,
        }

    rows = scaled_scores([run("a", 20, 200.0)], [run("b", 40, 400.0)])
    assert rows[0]["mape"] == pytest.approx(0)
    assert rows[0]["mape_unscaled"] == pytest.approx(0.5)
