"""Fields, server types and rows of data sets; what no machine can be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurizers.core import Featurizer
from featurizers.cpu import CpuFeaturizer, ServerSpec
from featurizers.cpu.columns import COLUMNS
from featurizers.cpu.rows import spec_from_sparecores
from featurizers.errors import InputError, UnknownNameError

parse = CpuFeaturizer().parse

MILAN = {
    "cpu_name": "AMD EPYC 7763 64-Core Processor",
    "cpu_vendor": "amd",
    "cpu_family": 25,
    "cpu_model": 1,
    "logical_cpus": 8,
    "threads_per_core": 2,
    "cores_per_socket": 4,
    "sockets": 1,
    "memory_gb": 32,
    "cloud": "azure",
    "server": "Standard_D8as_v5",
    "hypervisor": "Microsoft",
    "flags": ["avx", "avx2", "vaes", "sha_ni", "aes"],
}


def column(raw: dict[str, Any], name: str) -> float:
    featurizer = CpuFeaturizer()
    return float(featurizer.features([featurizer.parse(raw)]).column(name)[0])


def test_it_is_a_featurizer():
    assert isinstance(CpuFeaturizer(), Featurizer)


def test_columns_in_groups():
    counts = {group: sum(c.group == group for c in COLUMNS) for group in {c.group for c in COLUMNS}}
    assert counts == {"processor": 27, "caches": 8, "memory": 4, "isa": 13, "platform": 23, "physics": 14}
    assert len({c.name for c in COLUMNS}) == len(COLUMNS)


def test_derived_physics():
    assert column(MILAN, "core_equivalents") == 4
    assert column(MILAN, "boost_ghz") == pytest.approx(3.525)
    assert column(MILAN, "log_peak_gflops") == pytest.approx(math.log(4 * 3.2 * 16), abs=1e-5)
    assert column(MILAN, "log_bandwidth_gbs") == pytest.approx(math.log(8 * 3200 * 8e-3), abs=1e-5)
    assert column(MILAN, "socket_share") == pytest.approx(4 / 64)
    assert column(MILAN, "l3_fair_mb") == pytest.approx(256 * 4 / 64)


@pytest.mark.parametrize(
    ("cloud", "server", "small_pages", "many_sockets"),
    [
        ("alicloud", "ecs.g5.large", 1, 0),
        ("alicloud", "ecs.g6.large", 0, 0),
        ("alicloud", "ecs.sn2ne.large", 1, 0),
        ("alicloud", "ecs.c8i.large", 0, 0),
        ("aws", "t2.micro", 1, 0),
        ("aws", "t3.micro", 0, 0),
        ("aws", "x1e.xlarge", 0, 1),
        ("azure", "Standard_M64ms", 0, 1),
        ("gcp", "e2-standard-2", 1, 0),
        ("gcp", "m3-ultramem-32", 0, 1),
        ("upcloud", "1xCPU-1GB", 1, 0),
    ],
)
def test_pages_and_sockets_of_the_host_follow_from_the_type(cloud, server, small_pages, many_sockets):
    raw = MILAN | {"cloud": cloud, "server": server}
    assert column(raw, "small_pages") == small_pages
    assert column(raw, "many_sockets") == many_sockets


def test_reach_of_a_core_is_its_own_complex():
    assert column(MILAN, "l3_reach_mb") == pytest.approx(32)


def test_missing_is_missing_and_never_zero():
    sparse = {"logical_cpus": 4}
    for name in ("tsc_ghz", "l3_seen_mb", "memory_gb", "network_gbps", "flag_avx2", "year"):
        assert math.isnan(column(sparse, name))


def test_an_unknown_cpu_is_answered_from_its_fields_and_marked():
    spec = parse({"logical_cpus": 4, "cpu_name": "Elbrus-8C", "base_ghz": 1.3})
    assert spec.microarchitecture == ""
    assert any("not in our table" in note for note in spec.notes)


@pytest.mark.parametrize(
    ("cpu_name", "design"),
    [
        ("Neoverse-V2", "neoverse-v2"),
        ("AWS Graviton3", "neoverse-v1"),
        ("Google Axion", "neoverse-v2"),
        ("Azure Cobalt 100", "neoverse-n2"),
        ("Ampere Altra", "neoverse-n1"),
        ("HUAWEI Kunpeng 920", "tsv110"),
        ("AMD EPYC 8534P 64-Core Processor", "zen4c"),
        ("AMD EPYC 9754 128-Core Processor", "zen4c"),
        ("AMD Ryzen 9 7950X 16-Core Processor", "zen4-client"),
        ("13th Gen Intel(R) Core(TM) i9-13900K", "raptor-lake"),
        ("Intel(R) Xeon(R) 6767P", "granite-rapids"),
        ("Intel(R) Xeon(R) (Code named Sapphire Rapids)", "sapphire-rapids"),
        ("AMD EPYC 9V74 80-Core Processor", "zen4"),
        ("AMD EPYC 7V73X 64-Core Processor", "zen3"),
        ("AMD EPYC 9965 192-Core Processor", "zen5c"),
        ("Intel(R) Xeon(R) Platinum 8575C", "emerald-rapids"),
        ("Intel(R) Xeon(R) CPU E5-2666 v3 @ 2.90GHz", "haswell"),
        ("Intel(R) Xeon(R) 6982P-C", "granite-rapids"),
    ],
)
def test_models_are_placed_by_name_alone(cpu_name: str, design: str):
    assert parse({"logical_cpus": 2, "cpu_name": cpu_name}).microarchitecture == design


def test_one_model_number_covers_designs_told_apart_by_stepping():
    base = {"logical_cpus": 2, "cpu_vendor": "intel", "cpu_family": 6, "cpu_model": 85}
    designs = [parse(base | {"cpu_stepping": s}).microarchitecture for s in (4, 7, 11)]
    assert designs == ["skylake-sp", "cascade-lake", "cooper-lake"]


def test_vcpu_that_is_a_core_and_one_that_is_a_thread():
    aws = {"cloud": "aws", "hypervisor": "KVM", "cpu_vendor": "amd", "cpu_family": 25, "cpu_model": 17}
    core = aws | {"logical_cpus": 8, "threads_per_core": 1, "server": "m7a.2xlarge", "cpu_name": "AMD EPYC 9R14"}
    assert column(core, "core_equivalents") == 8
    assert column(MILAN, "smt_shared") == 1
    floating = core | {"cloud": "vultr", "server": "voc-c-8c", "threads_per_core": 2}
    assert column(floating, "core_equivalents") == 8


def test_shared_core_types_get_their_share_of_time():
    micro = {"logical_cpus": 2, "threads_per_core": 2, "cloud": "gcp", "server": "e2-micro", "base_ghz": 2.2}
    standard = micro | {"server": "e2-standard-2"}
    assert column(micro, "log_core_ghz") == pytest.approx(column(standard, "log_core_ghz") + math.log(0.125), abs=1e-5)


def test_a_server_types_name_is_enough_where_it_tells_its_size():
    spec = parse({"server": "aws/m7i.2xlarge"})
    assert (spec.logical_cpus, spec.microarchitecture, spec.memory_gb) == (8, "sapphire-rapids", 32)
    assert parse({"server": "c8g.large", "cloud": "aws"}).microarchitecture == "neoverse-v2"
    assert parse({"server": "gcp/n2-standard-16"}).microarchitecture == "cascade-lake"


@pytest.mark.parametrize(
    ("server", "architecture", "cpus", "threads", "memory_gb"),
    [
        ("azure/Standard_D8as_v5", "zen3", 8, 2, 32),
        ("m7i.large", "sapphire-rapids", 2, 2, 8),
        ("Standard_D8as_v5", "zen3", 8, 2, 32),
        ("azure/D8ls_v5", "ice-lake-sp", 8, 2, 16),
        ("azure/Standard_E32-8s_v6", "emerald-rapids", 8, 2, 256),
        ("azure/Standard_F16ams_v7", "zen5", 16, 1, 128),
        ("azure/Standard_D4ps_v6", "neoverse-n2", 4, 1, 16),
        ("azure/Standard_B2ats_v2", "zen3", 2, 2, 1),
        ("azure/Standard_E96s_v5", "ice-lake-sp", 96, 2, math.nan),
        ("gcp/c3-highcpu-8", "sapphire-rapids", 8, 2, 16),
        ("gcp/n2-highcpu-8", "cascade-lake", 8, 2, 8),
        ("gcp/c4-standard-32-lssd", "granite-rapids", 32, 2, 120),
        ("aws/t3.nano", "cascade-lake", 2, 2, 0.5),
        ("aws/t2.small", "broadwell", 1, 1, 2),
        ("aws/x2iezn.2xlarge", "cascade-lake", 8, 2, 256),
        ("aws/c4.8xlarge", "haswell", 36, 2, 60),
    ],
)
def test_what_a_type_name_says(server: str, architecture: str, cpus: int, threads: int, memory_gb: float):
    spec = parse({"server": server})
    assert (spec.microarchitecture, spec.logical_cpus, spec.threads_per_core) == (architecture, cpus, threads)
    assert spec.memory_gb == pytest.approx(memory_gb, nan_ok=True)


def test_a_guest_by_its_type_is_that_which_lscpu_would_show():
    assert parse({"server": "azure/Standard_D8as_v5"}).hypervisor == "Microsoft"
    assert parse({"server": "aws/m4.large"}).hypervisor == "Xen"
    assert parse({"server": "aws/m7i.large"}).hypervisor == "KVM"
    assert parse({"server": "azure/Standard_D4ps_v6"}).hypervisor == ""  # lscpu names none on Arm
    assert parse({"server": "gcp/c2-standard-8"}).tsc_ghz == 3.1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"cpu_name": "AMD EPYC 9654"}, "a name alone does not say the size"),
        ({**MILAN, "sockets": 2}, r"must equal threads_per_core x cores_per_socket x sockets = 2 x 4 x 2 = 16"),
        ({"logical_cpus": 8, "l3_mb": 32 / 1024}, "must lie between 0.5 and 16384 MiB in all"),
        ({"logical_cpus": 8, "max_ghz": 5000}, "must lie between 0.1 and 10 GHz"),
        ({"logical_cpus": 8, "base_ghz": 3.0, "max_ghz": 2.0}, "must be at least base_ghz = 3"),
        ({"logical_cpus": 2.5}, "must be a whole number"),
        ({"logical_cpus": float("nan")}, "must be a finite number"),
        ({"logical_cpus": "8"}, "must be a finite number"),
        ({"logical_cpus": True}, "must be a finite number"),
        ({"logical_cpus": 8, "cpu_name": "x" * 1000}, "must be text of at most 300"),
        ({"logical_cpus": 8, "flags": 7}, "must be a list of names"),
        ({"sparecores": 7}, "must be a row"),
        ({"server": "hcloud/cx22"}, "tells its size"),
        ({"server": "azure/Standard_D8"}, "tells its size"),
        ({"server": "cx22"}, "must be named with its cloud"),
        ({}, "non-empty object"),
    ],
)
def test_contradictions_and_unit_faults_are_named(raw: dict[str, Any], says: str):
    with pytest.raises(InputError, match=says):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "nearest"),
    [
        ({"logical_cpuz": 8}, "logical_cpus"),
        ({"logical_cpus": 8, "flags": ["avx512g"]}, "avx512f"),
        ({"logical_cpus": 8, "microarchitecture": "zen44"}, "zen4"),
        ({"logical_cpus": 8, "cpu_vendor": "intl"}, "intel"),
        ({"server": "aws/m7x.large"}, "m7i"),
        ({"server": "azure/Standard_D8s_v4"}, "Dsv6"),
        ({"server": "awz/m7i.large"}, "aws"),
    ],
)
def test_unknown_names_come_with_the_nearest(raw: dict[str, Any], nearest: str):
    with pytest.raises(UnknownNameError, match=f"Nearest: [^.]*{nearest}"):
        parse(raw)


def test_a_row_of_spare_cores():
    row = {
        "vendor": "aws",
        "server": "c5.xlarge",
        "cpu_vendor_id": "GenuineIntel",
        "cpu_model_name": "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz",
        "cpu_family_id": "6",
        "cpu_model_id": "85",
        "stepping": "7",
        "logical_cpus": 4,
        "threads_per_core": 2,
        "cores_per_socket": 2.0,
        "sockets": 1,
        "bogomips": 5999.99,
        "l1d_kb_total": 64.0,
        "l2_kb_total": 2048.0,
        "l3_kb_total": 36608.0,
        "cat_memory_mb": 8192.0,
        "max_mhz": float("nan"),
        "hypervisor": "KVM",
    }
    spec = spec_from_sparecores(row)
    assert (spec.l1d_kb, spec.l2_kb, spec.l3_mb, spec.memory_gb) == (32, 1024, 35.75, 8)
    assert spec.tsc_ghz == pytest.approx(3.0, abs=1e-4)
    assert parse({"sparecores": row}) == spec


@settings(max_examples=60, deadline=None)
@given(
    cores=st.integers(1, 256),
    threads=st.sampled_from([1, 2]),
    sockets=st.integers(1, 4),
    ghz=st.floats(0.5, 6.0),
    l3=st.floats(1, 1024),
)
def test_any_plausible_machine_has_finite_physics(cores: int, threads: int, sockets: int, ghz: float, l3: float):
    raw = {
        "logical_cpus": cores * threads * sockets,
        "cores_per_socket": cores,
        "threads_per_core": threads,
        "sockets": sockets,
        "base_ghz": ghz,
        "l3_mb": l3,
    }
    featurizer = CpuFeaturizer()
    spec = featurizer.parse(raw)
    assert isinstance(spec, ServerSpec)
    found = featurizer.features([spec, spec])
    assert np.array_equal(found.vectors[0], found.vectors[1], equal_nan=True)
    assert not np.isinf(found.vectors).any()
    assert np.isfinite(found.column("log_core_ghz")[0])
    assert 0 < found.column("socket_share")[0] <= 1
