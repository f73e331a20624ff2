"""Rows of public data sets as specs: Spare Cores' server types, PerfCastDB's runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from featurizers.cpu.spec import NAN, ServerSpec, resolve
from featurizers.cpu.units import number

VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "ARM": "arm", "Ampere": "arm"}


def _text(value: object) -> str:
    return "" if value is None or value != value or str(value) in ("<NA>", "nan", "None", "-") else str(value)


def _positive(value: object) -> float:
    found = number(value)
    return found if found > 0 else NAN


def _first(*values: float) -> float:
    return next((value for value in values if not math.isnan(value)), NAN)


def spec_from_sparecores(row: Mapping[str, Any]) -> ServerSpec:
    """A row of ``sparecores_servers.parquet``.

    Caches there are sums over what the guest sees, in KiB; L3 can be the host's. Bogomips are twice the time-stamp
    counter's rate in MHz on x86, and say nothing about the clock on Arm.
    """
    vendor = VENDORS.get(_text(row.get("cpu_vendor_id")), "")
    cores = _positive(row.get("cores_per_socket")) * _positive(row.get("sockets"))
    threads = _positive(row.get("logical_cpus"))
    cores = cores if cores > 0 else threads
    return resolve(
        {
            "cpu_name": _text(row.get("cpu_model_name")),
            "cpu_vendor": vendor,
            "cpu_family": _text(row.get("cpu_family_id")),
            "cpu_model": _text(row.get("cpu_model_id")),
            "cpu_stepping": _text(row.get("stepping")),
            **{name: _positive(row.get(name)) for name in _SAME_NAME},
            "network_gbps": _network_gbps(row),
            "max_ghz": _positive(row.get("max_mhz")) / 1000,
            "tsc_ghz": _positive(row.get("bogomips")) / 2000 if vendor != "arm" else NAN,
            "base_ghz": NAN,
            "l1d_kb": _positive(row.get("l1d_kb_total")) / cores,
            "l1i_kb": _positive(row.get("l1i_kb_total")) / cores,
            "l2_kb": _positive(row.get("l2_kb_total")) / cores,
            "l3_mb": _positive(row.get("l3_kb_total")) / 1024,
            "memory_gb": _first(_positive(row.get("cat_memory_mb")), _positive(row.get("memory_mb"))) / 1024,
            "memory_mts": _positive(row.get("cat_memory_speed_mts")),
            "hypervisor": _text(row.get("hypervisor")),
            "cloud": _text(row.get("vendor")),
            "server": _text(row.get("server")),
            "instance_family": _text(row.get("instance_family")),
            "allocation": _text(row.get("cat_cpu_allocation")).lower(),
            "allcore_ghz": _catalogue_ghz(row),
            "flags": _text(row.get("flags")).split(),
        }
    )


_SAME_NAME = (
    "logical_cpus",
    "threads_per_core",
    "cores_per_socket",
    "sockets",
    "numa_nodes",
    "network_gbps",
    "gpu_count",
)


def _network_gbps(row: Mapping[str, Any]) -> float:
    """Gbit/s; the catalogue has some entries in Mbit/s, which no server type reaches in Gbit/s."""
    found = _positive(row.get("network_gbps"))
    return found / 1000 if found > _MOST_GBPS else found


_MOST_GBPS = 6400


def _catalogue_ghz(row: Mapping[str, Any]) -> float:
    """The catalogue's clock, where it is one: Hetzner's, UpCloud's and OVH's entries are placeholders."""
    return _positive(row.get("cat_cpu_speed_ghz")) if row.get("vendor") in ("aws", "azure", "gcp", "alicloud") else NAN


def spec_from_perfcastdb(row: Mapping[str, Any]) -> ServerSpec:
    """A row of ``perfcastdb_train.parquet`` or ``perfcastdb_test.parquet`` (caches already per core or socket)."""
    sockets = _positive(row.get("sockets"))
    channels = _first(_positive(row.get("qdf_mem_channels")), _positive(row.get("dimm_num")) / sockets)
    return resolve(
        {
            "cpu_name": _text(row.get("cpu_model")),
            "cpu_vendor": "intel",
            "cpu_family": _text(row.get("cpu_family")).removesuffix(".0"),
            "cpu_stepping": _text(row.get("cpu_stepping")).removesuffix(".0"),
            **{name: _positive(row.get(name)) for name in _SAME_NAME if name in row},
            "base_ghz": _positive(row.get("base_freq_ghz")),
            "allcore_ghz": _positive(row.get("allcore_max_freq_ghz")),
            "max_ghz": _positive(row.get("max_freq_ghz")),
            "l1d_kb": _positive(row.get("l1d_kb_per_core")),
            "l1i_kb": _positive(row.get("l1i_kb_per_core")),
            "l2_kb": _positive(row.get("l2_kb_per_core")),
            "l3_mb": _positive(row.get("l3_kb_per_socket")) * sockets / 1024,
            "memory_gb": _positive(row.get("dimm_total_gb")),
            "memory_channels": channels,
            "memory_mts": _positive(row.get("dimm_freq_mts")),
            "tdp_w": _positive(row.get("tdp_w")),
            "microarchitecture": _GENERATIONS.get(_text(row.get("microarchitecture")), ""),
        }
    )


_GENERATIONS = {"SPR": "sapphire-rapids", "EMR": "emerald-rapids", "ICX": "ice-lake-sp", "GNR": "granite-rapids"}
