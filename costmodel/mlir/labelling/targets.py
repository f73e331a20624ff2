"""The CPUs that programs are labelled for, by LLVM's names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuTarget:
    """What the tools are told, and how their assembly text is to be read."""

    name: str
    triple: str
    comment: str
    """What starts a comment in this target's assembly text."""
    features: str = ""

    @property
    def flags(self) -> list[str]:
        """Flags that opt, llc, llvm-mc and llvm-mca share."""
        attributes = [f"-mattr={self.features}"] if self.features else []
        return [f"-mtriple={self.triple}", f"-mcpu={self.name}", *attributes]


def _target(name: str, architecture: str, comment: str) -> CpuTarget:
    return CpuTarget(name, f"{architecture}-unknown-linux-gnu", comment)


CPUS: dict[str, CpuTarget] = {
    target.name: target
    for target in (
        _target("skylake-avx512", "x86_64", "#"),
        _target("znver4", "x86_64", "#"),
        _target("neoverse-v1", "aarch64", "//"),
        _target("apple-m1", "aarch64", "//"),
        _target("cortex-a55", "aarch64", "//"),
        _target("sifive-p670", "riscv64", "#"),
    )
}
"""Name to target. ``apple-m1`` is compiled for Linux: the code is the same, the assembly's syntax is ELF's."""

HOST_TARGETS: dict[str, CpuTarget] = {
    target.name: target for target in (_target("znver3", "x86_64", "#"), _target("x86-64-v3", "x86_64", "#"))
}
"""Targets that only serve to compare with what this host executes."""


def cpu_target(name: str) -> CpuTarget:
    """The target of this name.

    Raises
    ------
    featurizers.errors.UnknownNameError
        Names what is known.
    """
    from featurizers.errors import UnknownNameError

    known = {**CPUS, **HOST_TARGETS}
    if name not in known:
        raise UnknownNameError("cpu", name, sorted(known))
    return known[name]
