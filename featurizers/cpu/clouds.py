"""What the clouds publish about their server types: who shares cores, who bursts, and whether a vCPU is a core.

Sources: the instance-type pages of AWS, Azure, Google Cloud, Alibaba Cloud, Hetzner Cloud, UpCloud, OVHcloud and Vultr.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from featurizers.cpu.spec import ServerSpec

CLOUDS = ("aws", "azure", "gcp", "alicloud", "hcloud", "hetzner", "ovh", "upcloud", "vultr")
"""Names as Spare Cores writes them; another name is kept, and counts as no cloud that we know."""

_BURSTABLE = {
    "aws": r"^t[0-9]",
    "azure": r"^Standard_B",
    "gcp": r"^(e2-(micro|small|medium)|f1-|g1-)",
    "alicloud": r"^ecs\.t[56]",
}
_SHARED = {
    "alicloud": r"^ecs\.(e-|u[01]|xn4|n[14]|mn4|s6)",
    "aws": r"-flex\.|^t[0-9]|^[cm]1\.",
    "gcp": r"^e2-|^f1-|^g1-",
    "hcloud": r"^(cx|cpx|cax)",
    "upcloud": r"^(DEV|[0-9]+xCPU|CLOUDNATIVE)",
    "vultr": r"^vc2|^vhf|^vhp",
    "ovh": r"^d2|^s1",
    "azure": r"^Standard_(A|B|D1)",
}
# On these types each vCPU is a core of its own although the processor could run two threads on it.
_SMT_OFF = {
    "aws": r"^(m|c|r)(7|8)a|^x8aed|^hpc|^m8azn|^r8a",
    "gcp": r"^(t2d|h3|h4d|t2a)",
    "azure": r"^Standard_(H|F[0-9]+a.*_v[67])",
}
# Here the guest sees one thread per core, while a vCPU is a hardware thread pinned beside a neighbour's.
_SMT_HIDDEN = {"aws": r"^(t2|m1|m2|c1)\."}
# Here vCPUs are not pinned: the host's scheduler gives a busy one a whole core as long as there are idle ones,
# whatever topology the guest is shown.
_FLOATING = {
    "alicloud": r"^ecs\.(e[34]|mn4|n[124]|xn4|t[56]|sgn7i-vws)\b",
    "hcloud": r"^(cx|cpx)",
    "ovh": r".",
    "upcloud": r".",
    "vultr": r"^v(c2|cg|hf|hp|oc)",
}
# Types whose name promises no CPU model: the same type runs on hosts of several generations.
_MIXED_HOSTS = {
    "alicloud": r"^ecs\.(e-|u[01]|e[34]|mn4|n[124]|xn4|s[en][12]|t[56])",
    "gcp": r"^(e2|f1|g1)-",
    "ovh": r"^([bcr]2|d2|i1|s1)-",
    "hcloud": r"^(cx|cpx)",
    "azure": r"^Standard_(A|B|D|DS|F)[0-9]+(m?s?|-.*)(_v2)?$",
}
# Time that one vCPU gets of its thread, where the type promises less than all of it and does not burst for long:
# Google's shared-core types; Azure's A series by its compute units (100 against the 210 and more of Dv2).
_CPU_SHARE = (
    ("gcp", r"^e2-micro", 0.125),
    ("gcp", r"^e2-small", 0.25),
    ("gcp", r"^f1-micro", 0.2),
    ("gcp", r"^g1-small", 0.5),
    ("azure", r"^Standard_A", 0.45),
)


# The guest's memory is not backed by huge pages of the host: each miss of the TLB walks two levels of small pages.
# Alibaba's types from before its third-generation Shenlong hosts (the sixth generation of families); Xen's oldest types
# of AWS; Google's types with ballooned memory; UpCloud, whose hosts share memory among plans.
_SMALL_PAGES = {
    "alicloud": r"^ecs\.(n[124]|mn4|xn4|e[34]|t5|u0|s[en][12](ne)?|[cgr][45](ne)?|i?c5|ce4|cm4|hf[cgr][56]|re4|d1(ne)?"
    r"|d2s|f[13]|i1|i2(g|ne|gne)?|v?gn[456]\w*|sgn7i-vws)(\.|-|$)",
    "aws": r"^(t[12]|m[12]|h1)\.",
    "gcp": r"^(e2|f1|g1)-",
    "upcloud": r".",
}
# Hosts of four sockets and more: a line's owner is found over several links.
_MANY_SOCKETS = {
    "alicloud": r"^ecs\.(re4|re6|re7|ebmre)",
    "aws": r"^(x1e?|u-|u7)",
    "azure": r"^Standard_M",
    "gcp": r"^(m[1234]|x4)-",
}


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """Each 0 or 1, NaN where it cannot be known, but for `cpu_share`: the time that a vCPU gets of its thread, 0 to 1.

    `smt_shared`: a vCPU is one of two threads of a core. `floating`: vCPUs are not pinned to threads of the host.
    `small_pages`: the guest's memory is not backed by huge pages. `many_sockets`: the host has four sockets or more.
    """

    burstable: float
    shared: float
    smt_shared: float
    floating: float
    mixed_hosts: float
    bare_metal: float
    cpu_share: float
    small_pages: float
    many_sockets: float


def _matches(table: dict[str, str], spec: ServerSpec) -> bool:
    pattern = table.get(spec.cloud)
    return pattern is not None and re.search(pattern, spec.server) is not None


def cloud_facts(spec: ServerSpec, smt: float) -> CloudFacts:
    """Facts of the type, from its name, its catalogue entry and the topology that the guest sees.

    smt : hardware threads per core of the micro-architecture (NaN if unknown).
    """
    burstable = spec.allocation == "burstable" or _matches(_BURSTABLE, spec)
    shared = burstable or spec.allocation == "shared" or _matches(_SHARED, spec)
    bare_metal = bool(spec.server) and (not spec.hypervisor or "metal" in spec.server)
    return CloudFacts(
        burstable=float(burstable),
        shared=float(shared),
        smt_shared=_smt_shared(spec, smt),
        floating=float(_matches(_FLOATING, spec)),
        mixed_hosts=float(_matches(_MIXED_HOSTS, spec)),
        bare_metal=float(bare_metal),
        cpu_share=_cpu_share(spec),
        small_pages=float(_matches(_SMALL_PAGES, spec)),
        many_sockets=float(_matches(_MANY_SOCKETS, spec) or spec.sockets >= _MANY),
    )


_MANY = 4


def _cpu_share(spec: ServerSpec) -> float:
    for cloud, pattern, share in _CPU_SHARE:
        if spec.cloud == cloud and re.search(pattern, spec.server):
            return share
    return 1.0


def _smt_shared(spec: ServerSpec, smt: float) -> float:
    if smt == 1 or _matches(_SMT_OFF, spec) or _matches(_FLOATING, spec):
        return 0.0
    if spec.threads_per_core > 1:
        return 1.0
    if _matches(_SMT_HIDDEN, spec):
        return 1.0
    # One vCPU of a hyper-threaded cloud is one thread, and nothing in the guest says so.
    if spec.logical_cpus == 1 and spec.cloud in CLOUDS:
        return 1.0
    return math.nan if not spec.server else 0.0
