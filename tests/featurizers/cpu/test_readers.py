"""lscpu, meminfo, dmidecode and cpuinfo to one spec in one set of units."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from featurizers.cpu import CpuFeaturizer
from featurizers.cpu.readers import MAX_TEXT_BYTES
from featurizers.errors import InputError, LimitError
from tests.featurizers.cpu import hosts

parse = CpuFeaturizer().parse


def test_nested_output_with_memory():
    spec = parse({"lscpu": hosts.NESTED, "meminfo": hosts.MEMINFO, "dmidecode": hosts.DMIDECODE})
    assert (spec.logical_cpus, spec.threads_per_core, spec.cores_per_socket, spec.sockets) == (96, 2, 48, 1)
    assert (spec.l1d_kb, spec.l2_kb, spec.l3_mb) == (32, 1024, 256)
    assert (spec.microarchitecture, spec.max_ghz) == ("zen4", 3.810791)
    assert spec.tsc_ghz == pytest.approx(2.74595)
    assert (spec.memory_mts, spec.memory_channels, spec.memory_gb) == (4400, 12, 768)
    assert spec.processor is not None
    assert spec.processor.designator == "EPYC 9454"


def test_text_and_parsed_output_agree():
    assert parse({"lscpu": json.dumps(hosts.NESTED)}) == parse({"lscpu": hosts.NESTED})


def test_old_style_caches_are_of_one_instance():
    spec = parse({"lscpu": hosts.OLD_STYLE})
    assert (spec.l1d_kb, spec.l2_kb) == (32, 1024)
    assert spec.l3_mb == pytest.approx(35.75)
    assert spec.microarchitecture == "cascade-lake"


def test_arm_is_known_by_implementer_and_part():
    spec = parse({"lscpu": hosts.ARM, "cpuinfo": hosts.CPUINFO_V1, "cloud": "aws"})
    assert spec.microarchitecture == "neoverse-v1"
    assert spec.processor is not None
    assert spec.processor.source == "aws-graviton3"
    assert math.isnan(spec.tsc_ghz)


def test_a_hypervisors_invented_module_says_nothing():
    spec = parse({"lscpu": hosts.OLD_STYLE, "meminfo": hosts.MEMINFO, "dmidecode": hosts.DMIDECODE_QEMU})
    assert math.isnan(spec.memory_mts)
    assert spec.memory_gb == pytest.approx(755.83, abs=0.01)


def test_given_fields_win_over_what_was_printed():
    assert parse({"lscpu": hosts.OLD_STYLE, "max_ghz": 4.5}).max_ghz == 4.5


def test_offline_cpus_are_no_contradiction():
    rows = [dict(row, data="3") if row["field"] == "CPU(s):" else row for row in hosts.OLD_STYLE]
    assert parse({"lscpu": rows}).logical_cpus == 3


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"lscpu": "{"}, "must be JSON"),
        ({"lscpu": {"cpu": []}}, "must be the object or list"),
        ({"lscpu": [{"field": "Model:"}]}, "has no field 'CPU"),
        ({"lscpu": [{"name": "CPU(s):"}]}, "must be an object with 'field' and 'data'"),
        ({"lscpu": [{"field": "CPU(s):", "data": "8"}, {"field": "L3 cache:", "data": "32 KiB"}]}, "MiB in all"),
        ({"lscpu": [{"field": "CPU(s):", "data": "8"}, {"field": "L2 cache:", "data": "3 parsecs"}]}, "must be one of"),
        ({"lscpu": [{"field": "CPU(s):", "data": "8"}], "meminfo": "nothing"}, "MemTotal"),
        ({"lscpu": [{"field": "CPU(s):", "data": "8"}], "meminfo": 5}, "must be text"),
    ],
)
def test_bad_output_is_refused_with_the_rule(raw: dict[str, Any], says: str):
    with pytest.raises(InputError, match=says):
        parse(raw)


def test_a_huge_text_is_not_read():
    with pytest.raises(LimitError):
        parse({"lscpu": " " * (MAX_TEXT_BYTES + 1)})


def test_deep_nesting_ends_in_an_error():
    item: dict[str, Any] = {"field": "x", "data": "1"}
    for _ in range(50):
        item = {"field": "x", "data": "1", "children": [item]}
    with pytest.raises(InputError):
        parse({"lscpu": [item]})
