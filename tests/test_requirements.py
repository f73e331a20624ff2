"""Environments beside the locked ones install what their code imports."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
IMPORT_WITHOUT = """
import json, sys

class Missing:
    names = set(json.loads(sys.argv[1]))

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import costmodel.measure.dataset, costmodel.simulate, costmodel.zoo, featurizers.network, tqdm
"""


def with_what_they_need(names: set[str]) -> set[str]:
    """These distributions, and those that the installed ones of them require without extras."""
    found: set[str] = set()
    while names:
        found |= names
        lines = [
            line for name in names if any(metadata.distributions(name=name)) for line in metadata.requires(name) or ()
        ]
        needed = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate({"extra": ""})]
        names = {requirement.name.lower() for requirement in needed} - found
    return found


def imports_without(missing: list[str]) -> str:
    """What Python says when the simulators' code is imported where these modules are not installed."""
    command = [sys.executable, "-c", IMPORT_WITHOUT, json.dumps(missing)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr


def locked(name: str) -> set[str]:
    lines = (ROOT / f"requirements/{name}.lock").read_text().splitlines()
    return {line.split(";")[0].strip() for line in lines if "==" in line and not line.strip().startswith("#")}


def test_what_is_audited_is_all_that_serves():
    """`make audit` asks about dev.lock alone."""
    assert len(locked("serve")) > 50
    assert locked("serve") <= locked("dev")


def test_of_the_simulators():
    """`make test-simulate` runs the code of build_sim.py on nothing but what this file lists."""
    lines = (ROOT / "datasets/host_networks/requirements-sim.txt").read_text().splitlines()
    listed = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    there = with_what_they_need(listed) | {"costmodel"}
    of_modules = metadata.packages_distributions()
    missing = [top for top, owners in of_modules.items() if not there & {owner.lower() for owner in owners}]
    assert not imports_without(missing)
    assert "No module named 'zstandard'" in imports_without([*missing, "zstandard"])
