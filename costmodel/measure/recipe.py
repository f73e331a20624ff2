"""The steps of building the data set: prepare beside measuring, measure under supervision, assemble the tables."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from costmodel.measure.artefacts import prepare_network, release_claims
from costmodel.measure.campaign import Campaign
from costmodel.measure.dataset import networks_table, specs_of, write_table
from costmodel.measure.devices import DEVICES, pin_to
from costmodel.measure.labels import Label, agreement
from costmodel.measure.machine import claim_machine
from costmodel.measure.runtimes.base import write_atomically
from costmodel.measure.tables import latency_table, make_labels, nodes_table, read_rounds, rounds_table
from costmodel.zoo import NetworkSpec, sample_specs

_MEMORY_LIMIT_BYTES = 8 << 30
_MAX_RESTARTS_WITHOUT_PROGRESS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign: where it works, where the data set goes, how much is measured.

    measure_core, prepare_core : the cores of the two processes; None leaves them to the system.
    deadline : seconds since the epoch at which measuring stops, or None.
    """

    work: Path
    data: Path
    networks: int
    rounds: int
    seed: int
    measure_core: int | None = None
    prepare_core: int | None = None
    deadline: float | None = None

    def specs(self) -> list[NetworkSpec]:
        """The networks: those of the data set if it has them already, otherwise newly sampled and written there."""
        path = self.data / "networks.parquet"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            write_table(networks_table(sample_specs(self.networks, self.seed)), path)
        specs = specs_of(pq.read_table(path))
        if len(specs) < self.networks:
            raise ValueError(f"{path} has {len(specs)} networks, fewer than the {self.networks} asked for.")
        chosen = np.random.default_rng(self.seed).permutation(len(specs))[: self.networks]
        return [specs[i] for i in chosen]


def prepare(plan: Plan) -> None:
    """Convert and optimise every network for every device."""
    pin_to(plan.prepare_core)
    root = plan.work / "artefacts"
    for spec in plan.specs():
        prepare_network(root, spec, list(DEVICES))


def measure(plan: Plan) -> bool:
    """Measure until all is done (True) or until the process should be replaced by a fresh one (False)."""
    import gc

    from tqdm import tqdm

    pin_to(plan.measure_core)
    gc.disable()  # a collection inside a run would be measured; the campaign collects between networks
    claim_machine(plan.work, DEVICES)
    networks = [s.network_id for s in plan.specs()]
    campaign = Campaign(plan.work, networks, plan.rounds, list(DEVICES), plan.deadline)
    with tqdm(total=campaign.total(), initial=campaign.done_units(), unit="network", mininterval=5) as bar:
        finished = campaign.run(bar.update, _MEMORY_LIMIT_BYTES)
    return finished or (plan.deadline is not None and time.time() > plan.deadline)


def supervise(command: Sequence[str], work: Path) -> None:
    """Prepare in one process and measure in another, which is started again when it dies or asks for it.

    `command` is the recipe's own command line; ``--step prepare`` and ``--step measure`` are added to it.

    Raises
    ------
    RuntimeError
        If measuring dies again and again without getting anywhere.
    """
    release_claims(work / "artefacts")
    journal = work / "journal.jsonl"
    preparer = subprocess.Popen([sys.executable, *command, "--step", "prepare"])
    without_progress = 0
    try:
        while True:
            before = journal.stat().st_size if journal.exists() else 0
            code = subprocess.run([sys.executable, *command, "--step", "measure"], check=False).returncode
            if code == 0:
                return
            after = journal.stat().st_size if journal.exists() else 0
            without_progress = 0 if after > before else without_progress + 1
            if without_progress >= _MAX_RESTARTS_WITHOUT_PROGRESS:
                raise RuntimeError(f"Measuring ended with code {code} {without_progress} times without a result.")
    finally:
        preparer.terminate()
        preparer.wait()


def assemble(plan: Plan, card: Path) -> dict[str, Any]:
    """Write the tables, the machine and the checksums; the report says how good the labels are."""
    specs = sorted(plan.specs(), key=lambda spec: spec.network_id)
    measured, failures = read_rounds(plan.work / "journal.jsonl")
    quiet, labels, exponents = make_labels(measured)
    write_table(latency_table(specs, plan.work / "artefacts", labels, failures), plan.data / "latency.parquet")
    write_table(rounds_table(measured, labels, quiet), plan.data / "rounds.parquet")
    if (plan.work / "profiles.jsonl").exists():
        write_table(nodes_table(plan.work, specs, labels, quiet), plan.data / "nodes.parquet")
    report = {
        key: {
            "networks": len(labels[key]),
            "gamma": round(exponents[key], 3),
            "quiet_share": _quiet_share(labels[key].values()),
            "spread_median": round(float(np.median([x.spread for x in labels[key].values()])), 4),
            "spread_over_5pct": round(float(np.mean([x.spread > 0.05 for x in labels[key].values()])), 4),
            "halves": agreement([list(r.values()) for r in networks.values()], quiet),
        }
        for key, networks in measured.items()
    }
    machine = claim_machine(plan.work, DEVICES) | {
        "quiet_reference_ms": round(quiet.typical_ms, 4),
        "quiet_limit_ms": round(quiet.limit_ms, 4),
        "devices": report,
    }
    write_atomically(plan.data / "machine.json", (json.dumps(machine, indent=1) + "\n").encode())
    if card.exists():
        write_checksums(card, plan.data)
    return machine


def report_table(machine: Mapping[str, Any]) -> str:
    """How good the labels are, as a Markdown table: per device, and how well halves of the rounds agree."""
    kinds = ("raw", "ratio", "median", "corrected", "quiet")
    head = ("device", "networks", "quiet rounds", "gamma", "spread (median)", "spread > 5%")
    lines = ["| " + " | ".join((*head, *(f"{k}: within 10%, median" for k in kinds))) + " |"]
    lines.append("|---" * (len(head) + len(kinds)) + "|")
    for key, found in machine["devices"].items():
        cells = [key, str(found["networks"]), f"{found['quiet_share']:.0%}", f"{found['gamma']:.2f}"]
        cells += [f"{found['spread_median']:.1%}", f"{found['spread_over_5pct']:.1%}"]
        for kind in kinds:
            half = found["halves"].get(kind)
            cells.append(f"{half['within_10pct']:.1%}, {half['median_difference']:.1%}" if half else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _quiet_share(labels: Iterable[Label]) -> float:
    chosen = list(labels)
    quiet = sum(label.quiet_rounds for label in chosen)
    return round(quiet / max(1, sum(label.rounds for label in chosen)), 3)


def write_checksums(card: Path, data: Path) -> None:
    """Bring the sizes, row counts and SHA-256 sums of a dataset.yaml up to date with its files."""
    description = yaml.safe_load(card.read_text())
    for name, entry in description["files"].items():
        path = data / name
        if path.exists():
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry["bytes"] = path.stat().st_size
            if path.suffix == ".parquet":
                entry["rows"] = pq.read_metadata(path).num_rows
    card.write_text(yaml.safe_dump(description, sort_keys=False, width=120, allow_unicode=True))
