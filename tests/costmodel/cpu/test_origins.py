"""Archives in the origins' formats become the tables that our loaders read; made here, a few files each."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from costmodel.cli.main import main
from costmodel.corpus import CorpusError
from costmodel.cpu.mlperf import load_results
from costmodel.cpu.origins import parse_origin
from costmodel.cpu.perfcastdb import load_runs, scaled_scores
from costmodel.cpu.pull import origins, read_card
from costmodel.cpu.sparecores import load_scores
from costmodel.paths import dataset_folder
from featurizers.errors import UnknownNameError

LSCPU = {
    "Architecture:": "x86_64",
    "CPU(s):": "4",
    "Vendor ID:": "GenuineIntel",
    "Model name:": "Intel(R) Xeon(R) Platinum 8488C",
    "CPU family:": "6",
    "Model:": "143",
    "Stepping:": "8",
    "Thread(s) per core:": "2",
    "Core(s) per socket:": "2",
    "Socket(s):": "1",
    "BogoMIPS:": "4800.00",
    "Flags:": "avx avx2 avx512f",
    "Hypervisor vendor:": "KVM",
    "L1d cache:": "96 KiB (2 instances)",
    "L2 cache:": "4 MiB (2 instances)",
    "L3 cache:": "105 MiB (1 instance)",
    "NUMA node(s):": "1",
}
PASSMARK = """
BaselineInfo: {TimeStamp: 20260404101010}
Version: {Major: 11, Minor: 0, Build: 1002}
Results: {Results Complete: true, SUMM_CPU: 6100.5, ME_LATENCY: 61.2, CPU_avx512: 0, UNKNOWN_KEY: 3}
SystemInformation: {Processor: x, Memory: 15750}
"""
MACHINE = {
    "lscpu/stdout": json.dumps({"lscpu": [{"field": k, "data": v} for k, v in LSCPU.items()]}),
    "lscpu/meta.json": "{}",
    "passmark/stdout": PASSMARK,
    "bw_mem/stdout": "rd 0.016384 151000.11\nrd 256.00 11000.50\nSegmentation fault\n",
    "compression_text/stdout": json.dumps(
        {"zstd": {"1": [{"threads": t, "compress": 3e8 * t, "decompress": 9e8 * t, "ratio": 3} for t in (1, 4)]}}
    ),
    "geekbench/results.json": json.dumps({"single": {"Score": {"score": 1800}}, "multi": {"Clang": {"score": "4200"}}}),
    "openssl/parsed.json": json.dumps([{"algo": "sha256", "block_size": b, "speed": b * 10.0} for b in (16, 16384)]),
    "stressngfull/stdout": "1,900.5\n2,1700.25\n4,1650.75\n",
    "membench/stdout": "size_kb,operation,bandwidth_mb_s,latency_ns,threads\n16,read,99.5,0,4\n16,latency,0,1.7,1\n",
    "redis/stdout": '"operation","threads","pipeline","rps"\n"SET",1,16,1000\n"SET",1,16,3000\n',
    "static_web/stdout": '"size","threads","connections","rps"\n"64k",1,8,500\n"64k",2,16,900\n',
    "llm/stdout": json.dumps(
        {"model_filename": "/models/a.gguf", "n_prompt": 0, "n_gen": 128, "avg_ts": 42.5, "n_gpu_layers": 0}
    ),
}
CATALOGUE = {
    **{"vendor_id": "aws", "server_id": "m7i.xlarge", "api_reference": "m7i.xlarge", "vcpus": 4, "cpu_speed": 3.2},
    **{"memory_amount": 16384, "cpu_allocation": "Dedicated", "network_speed": 12.5, "status": "ACTIVE"},
}


def archive(folder: Path, repository: str, commit: str, contents: Mapping[str, str]) -> Path:
    """As ``git archive`` makes it: one folder on top, the commit in the first header."""
    path = folder / f"{repository}-{commit[:12]}.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": commit}) as out:
        for name, text in contents.items():
            member = tarfile.TarInfo(f"{repository}-{commit}/{name}")
            member.size = len(text.encode())
            out.addfile(member, io.BytesIO(text.encode()))
    return path


def all_archives(name: str, folder: Path, contents: Mapping[str, Mapping[str, str]]) -> list[Path]:
    """One archive per origin of the card, by the repository's name."""
    folder.mkdir(exist_ok=True)
    card = read_card(dataset_folder(name))
    return [archive(folder, repo, commit, contents.get(repo, {"README": "x"})) for _, repo, commit in origins(card)]


def sparecores(folder: Path) -> list[Path]:
    raw = {f"data/aws/m7i.xlarge/{name}": text for name, text in MACHINE.items()}
    raw |= {"data/aws/broken/lscpu/stdout": "lscpu: command not found", "data/aws/broken/bw_mem/stdout": "rd 1.00 5.0"}
    catalogue = {"data/server/aws/m7i.xlarge.json": json.dumps(CATALOGUE), "data/server/_schema.json": "{}"}
    return all_archives("sparecores", folder, {"sc-inspector-data": raw, "sc-data-dumps": catalogue})


def test_raw_outputs_become_scores_that_the_loader_reads(tmp_path: Path):
    parse_origin("sparecores", sparecores(tmp_path), tmp_path / "out")
    table = load_scores(tmp_path / "out")
    found = {target.name: (table.scores[0, i], target.unit) for i, target in enumerate(table.targets)}
    assert found == {
        "bw_mem:rd:0.016384MB": (151000.11, "MB/s"),
        "bw_mem:rd:256.00MB": (11000.5, "MB/s"),
        "compression_text:zstd:level=1:threads=1:compress": (3e8, "B/s"),
        "compression_text:zstd:level=1:threads=1:decompress": (9e8, "B/s"),
        "geekbench6:multi:Clang": (4200.0, "score"),
        "geekbench6:single:Score": (1800.0, "score"),
        "llama_bench:a.gguf:gen:128:cpu": (42.5, "tokens/s"),
        "membench:latency:16KB": (1.7, "ns"),
        "membench:read:16KB": (99.5, "MB/s"),
        "openssl:sha256": (163840.0, "B/s"),
        "passmark:ME_LATENCY": (61.2, "ns"),
        "passmark:SUMM_CPU": (6100.5, "CPU Mark"),
        "redis:SET:threads=1:pipeline=16": (2000.0, "requests/s"),
        "static_web:max_rps:64k": (900.0, "requests/s"),
        "stressng_cpu:best": (1700.25, "bogo ops/s"),
        "stressng_cpu:cores=1": (900.5, "bogo ops/s"),
        "stressng_cpu:cores=all": (1650.75, "bogo ops/s"),
    }
    directions = {target.name: target.higher_is_better for target in table.targets}
    assert not directions["passmark:ME_LATENCY"]
    assert not directions["membench:latency:16KB"]
    assert directions["passmark:SUMM_CPU"]


def test_a_machine_is_described_by_lscpu_and_the_catalogue(tmp_path: Path):
    parse_origin("sparecores", sparecores(tmp_path), tmp_path / "out")
    (spec,) = load_scores(tmp_path / "out").specs
    assert (spec.logical_cpus, spec.threads_per_core, spec.l2_kb, spec.l3_mb) == (4, 2, 2048, 105)
    assert (spec.memory_gb, spec.network_gbps, spec.allocation) == (16, 12.5, "dedicated")
    assert spec.microarchitecture == "sapphire-rapids"
    (row,) = pq.read_table(tmp_path / "out" / "sparecores_servers.parquet").to_pylist()
    assert (row["memory_mb"], row["passmark_date"], row["in_catalogue"]) == (15750, "20260404", True)


def test_the_command_makes_the_tables_of_archives_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sparecores(tmp_path)
    assert main(["datasets", "pull", "sparecores", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "sparecores_scores.parquet" in printed
    assert "CC-BY-SA-4.0" in printed
    assert load_scores(tmp_path).keys == ("aws/m7i.xlarge",)


LOG = """MLPerf Results Summary
SUT name : x
Scenario : {scenario}
Mode     : PerformanceOnly
{metric}
Result is : {verdict}
"""
SYSTEM = {
    **{"system_name": "Box", "system_type": "datacenter", "status": "Available on-premise", "number_of_nodes": "1"},
    **{
        "host_processor_model_name": "AMD EPYC 9654",
        "host_processors_per_node": "2",
        "host_processor_core_count": "96",
    },
    **{"host_memory_capacity": "1.5 TB", "accelerator_model_name": "NVIDIA H100-SXM-80GB", "accelerators_per_node": 8},
    **{"accelerator_memory_capacity": "80 GB", "framework": "TensorRT"},
}


def rounds(folder: Path) -> list[Path]:
    place = "closed/Acme/results/box"
    logs = {
        f"{place}/resnet50/Offline": ("Offline", "Samples per second: 1234.5", "VALID"),
        f"{place}/resnet50/Server": ("Offline", "Scheduled samples per second : 9", "VALID"),
        f"{place}/bert-99/Server": ("Server", "Scheduled samples per second : 800.0", "VALID"),
        f"{place}/bert-99/SingleStream": (
            "SingleStream",
            "90.00 percentile latency (ns)   : 7000000\nEarly stopping 90th percentile estimate: 8000000",
            "VALID",
        ),
        f"{place}/bert-99/Offline": ("Offline", "Samples per second: 5.0", "INVALID"),
    }
    old = {
        f"{where}/performance/run_1/mlperf_log_summary.txt": LOG.format(scenario=s, metric=m, verdict=v)
        for where, (s, m, v) in logs.items()
    }
    old["closed/Acme/systems/box.json"] = json.dumps(SYSTEM)
    entry = {
        **{"Location": "closed/Acme/results/box/llama2-70b-99/Offline", "Performance_Result": 23000.5},
        **{"Performance_Units": "Tokens/s", "Accuracy": "ROUGE1: 44", "inferred": 0, "weight_data_types": "fp8"},
    }
    new = {"summary_results.json": json.dumps([entry]), "closed/Acme/systems/box.json": json.dumps(SYSTEM)}
    contents = {"inference_results_v3.0": old, "inference_results_v5.1": new}
    return all_archives("mlperf_inference", folder, contents)


def test_a_round_is_read_from_its_logs_or_its_summary(tmp_path: Path):
    (path,) = parse_origin("mlperf_inference", rounds(tmp_path), tmp_path / "out")
    rows = {(r["round"], r["benchmark_std"], r["scenario"]): r for r in pq.read_table(path).to_pylist()}
    assert {key: (row["result"], row["units"]) for key, row in rows.items()} == {
        ("v3.0", "resnet", "Offline"): (1234.5, "Samples/s"),
        ("v3.0", "bert-99", "Server"): (800.0, "Queries/s"),
        ("v3.0", "bert-99", "SingleStream"): (8.0, "Latency (ms)"),
        ("v5.1", "llama2-70b-99", "Offline"): (23000.5, "Tokens/s"),
    }
    assert not rows["v3.0", "bert-99", "SingleStream"]["higher_is_better"]
    row = rows["v5.1", "llama2-70b-99", "Offline"]
    assert (row["accelerators_total"], row["host_memory_gb"], row["availability"]) == (8, 1536, "available")
    assert (row["submitter"], row["platform"], row["weight_dtype"]) == ("Acme", "box", "fp8")
    results = load_results(tmp_path / "out")
    assert len(results) == 4
    assert set(results.chip) == {"h100-sxm"}


RUN = {
    **{"META.job": "run-1", "META.metadata.cscope.qdf0": "Q23Q", "RESULT.WorkloadName": "Stream"},
    **{"RESULT.TestName": "Triad", "RESULT.Value": "400000", "SVR.CPU.CPU Model": "Intel(R) Xeon(R) Platinum 8487C"},
    **{"SVR.CPU.Socket(s)": "2", "SVR.CPU.Core(s) per Socket": "48", "SVR.CPU.Thread(s) per Core": "2"},
    **{"SVR.CPU.CPU(s)": "192", "SVR.CPU.Base Frequency": "1.9GHz", "SVR.CPU.Maximum Frequency": "3.8GHz"},
    **{"SVR.CPU.L1d Cache": "48", "SVR.CPU.L1i Cache": "32", "SVR.CPU.L2 Cache": "2048", "SVR.CPU.L3 Cache": "107520"},
    **{"SVR.CPU.Family": "6", "SVR.CPU.Stepping": "8", "Measure.DIMM.Num": "16", "Measure.DIMM.Total": "1024"},
    **{"Measure.DIMM.Freq": "4800", "SVR.Power.TDP": "350"},
}
IN_MB = {"SVR.CPU.L1d Cache": "4.5", "SVR.CPU.L1i Cache": "3", "SVR.CPU.L2 Cache": "192", "SVR.CPU.L3 Cache": "210"}


def csv_of(*rows: Mapping[str, str]) -> str:
    return "\n".join([",".join(RUN), *(",".join((RUN | row).values()) for row in rows)])


def perfcastdb(folder: Path, train: str) -> list[Path]:
    files = {
        "data/raw/SPR/train_data.csv": train,
        "data/raw/SPR/test_data.csv": csv_of({"RESULT.Value": "380000"} | IN_MB),
    }
    return all_archives("perfcastdb", folder, {"NCPP": files})


def test_the_sample_is_read_with_one_unit_per_column_and_copies_are_marked(tmp_path: Path):
    train = csv_of({}, {"META.job": "run-1xy"}, {"META.job": "run-2", "RESULT.Value": "410000"})
    parse_origin("perfcastdb", perfcastdb(tmp_path, train), tmp_path / "out")
    kept, tested = load_runs(tmp_path / "out")
    assert [row["value"] for row in kept] == [400000, 410000]
    assert (tested[0]["unit"], tested[0]["higher_is_better"]) == ("MB/s", True)
    caches = ("l1d_kb_per_core", "l1i_kb_per_core", "l2_kb_per_core", "l3_kb_per_socket")
    assert [tested[0][name] for name in caches] == [kept[0][name] for name in caches] == [48, 32, 2048, 107520]
    (row,) = scaled_scores(kept, tested)
    assert row["mape"] == pytest.approx(405000 / 380000 - 1, abs=1e-6)


def test_another_layout_is_named(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"train_data\.csv: has no column 'RESULT\.Value'"):
        parse_origin("perfcastdb", perfcastdb(tmp_path, "a,b\n1,2"), tmp_path / "out")
    empty = all_archives("sparecores", tmp_path / "empty", {})
    with pytest.raises(CorpusError, match=r"sparecores_servers\.parquet: the archives hold nothing"):
        parse_origin("sparecores", empty, tmp_path / "out")
    with pytest.raises(UnknownNameError, match="nas_latency"):
        parse_origin("nas_latency", [], tmp_path / "out")
