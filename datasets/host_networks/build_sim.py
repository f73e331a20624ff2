"""Labels of the simulated accelerators: every distinct layer of `networks.parquet` once, summed per network.

    python datasets/host_networks/build_sim.py --journal FILE [--processes N] [--minutes M]

Needs the simulators (requirements-sim.txt, best in an environment of their own). The journal keeps what was simulated:
a run that was stopped goes on where it was, and the tables hold the networks that are complete so far.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from costmodel.measure.dataset import specs_of, write_table
from costmodel.measure.journal import Journal, read_journal
from costmodel.simulate import (
    SIMULATORS,
    Cost,
    Layer,
    Simulator,
    Workload,
    latency_ms,
    network_cost,
    simulator,
    workload_of,
)
from costmodel.zoo import NetworkSpec, build
from featurizers.network import NetworkFeaturizer

DATA = Path(__file__).parent / "data"
_CHUNK = 8

Task = tuple[str, Layer]
Known = dict[Task, Cost]

_loaded = lru_cache(simulator)


def workloads(specs: Iterable[NetworkSpec]) -> dict[str, Workload]:
    """The layers of each network at batch 1, without the networks that have work which no layer describes.

    In the order of their numbers within the families, so that what is done first is balanced over the families.
    """
    featurizer = NetworkFeaturizer()
    order = sorted(specs, key=lambda spec: spec.network_id.rsplit("-", 1)[1])
    found = {}
    for spec in tqdm(order, desc="reading networks", unit="network"):
        model = build(spec, batch=1, weights=False).SerializeToString()
        workload = workload_of(featurizer.parse({"onnx": model}))
        if not workload.left_out:
            found[spec.network_id] = workload
    return found


def tasks_of(found: Iterable[Workload], simulators: dict[str, Simulator]) -> dict[Task, None]:
    """Every distinct piece of work, in the order of its first use."""
    return {
        (device, sim.pieces(layer)[0]): None
        for workload in found
        for layer in sorted(workload.layers)
        for device, sim in simulators.items()
    }


def read_known(path: Path) -> Known:
    """What the journal holds."""
    return {(r["device"], Layer(*r["layer"])): Cost(r["cycles"], r["energy_uj"]) for r in read_journal(path)}


def simulate(task: Task) -> tuple[Task, Cost]:
    """One task, in this or in a worker process."""
    device, piece = task
    return task, _loaded(device).simulate(piece)


def run(tasks: list[Task], processes: int) -> Iterator[tuple[Task, Cost]]:
    """Results as they come."""
    if processes == 1:
        yield from map(simulate, tasks)
        return
    with ProcessPoolExecutor(processes) as pool:
        try:
            yield from pool.map(simulate, tasks, chunksize=_CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def fill(journal_path: Path, tasks: list[Task], processes: int, minutes: float) -> None:
    """Simulate `tasks` into the journal until all are done or the time is up."""
    journal, end = Journal(journal_path), time.monotonic() + 60 * minutes
    try:
        for (device, piece), cost in tqdm(run(tasks, processes), total=len(tasks), desc="simulating", unit="layer"):
            journal.append(
                {"device": device, "layer": astuple(piece), "cycles": cost.cycles, "energy_uj": cost.energy_uj}
            )
            if time.monotonic() > end:
                return
    finally:
        journal.close()


def network_rows(found: dict[str, Workload], simulators: dict[str, Simulator], known: Known) -> list[dict[str, Any]]:
    """A row per network, device and target, for the networks of which every layer is known."""
    rows = []
    for network_id, workload in sorted(found.items()):
        for device, sim in simulators.items():
            if all((device, sim.pieces(layer)[0]) in known for layer in workload.layers):
                rows += _targets(network_id, device, network_cost(workload, _lookup(device, sim, known)))
    return rows


def _lookup(device: str, sim: Simulator, known: Known) -> Callable[[Layer], Cost]:
    def cost_of(layer: Layer) -> Cost:
        piece, count = sim.pieces(layer)
        return known[device, piece].times(count)

    return cost_of


def _targets(network_id: str, device: str, cost: Cost) -> Iterator[dict[str, Any]]:
    row = {"network_id": network_id, "device": device, "cycles": cost.cycles}
    yield {**row, "target": "latency_ms", "value": latency_ms(cost), "unit": "ms"}
    if cost.energy_uj is not None:
        yield {**row, "target": "energy_uj", "value": cost.energy_uj, "unit": "uJ"}


def layer_rows(tasks: Iterable[Task], known: Known) -> list[dict[str, Any]]:
    """A row per simulated layer."""
    names = [field.name for field in fields(Layer)]
    rows = []
    for device, piece in sorted(task for task in tasks if task in known):
        cost = known[device, piece]
        sizes = dict(zip(names, astuple(piece), strict=True))
        rows.append({"device": device, **sizes, "macs": piece.macs, "cycles": cost.cycles, "energy_uj": cost.energy_uj})
    return rows


def write(found: dict[str, Workload], simulators: dict[str, Simulator], tasks: Iterable[Task], known: Known) -> None:
    """Both tables, and a count of what they hold."""
    rows = network_rows(found, simulators, known)
    text = pa.string()
    schema = pa.schema(
        [("network_id", text), ("device", text), ("target", text), ("value", pa.float64()), ("unit", text),
         ("cycles", pa.float64())]
    )  # fmt: skip
    write_table(pa.Table.from_pylist(rows, schema), DATA / "latency_sim.parquet")
    sizes = [(field.name, pa.int32()) for field in fields(Layer)]
    schema = pa.schema(
        [("device", text), *sizes, ("macs", pa.int64()), ("cycles", pa.float64()), ("energy_uj", pa.float64())]
    )
    layers = layer_rows(tasks, known)
    write_table(pa.Table.from_pylist(layers, schema), DATA / "layers_sim.parquet")
    print(f"{len(found)} networks can be simulated; {len(layers)} layers are.")
    for device, count in sorted(Counter(r["device"] for r in rows if r["target"] == "latency_ms").items()):
        print(f"{device}: {count} networks")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Simulate the networks' layers and write latency_sim.parquet.")
    parser.add_argument("--journal", type=Path, required=True, help="file of the layers simulated so far (JSON lines)")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after this long and write what is complete")
    parser.add_argument("--device", action="append", choices=sorted(SIMULATORS), help="default: all")
    options = parser.parse_args()
    found = workloads(specs_of(pq.read_table(DATA / "networks.parquet")))
    simulators = {device: _loaded(device) for device in options.device or SIMULATORS}
    tasks = tasks_of(found.values(), simulators)
    known = read_known(options.journal)
    fill(options.journal, [task for task in tasks if task not in known], options.processes, options.minutes)
    write(found, simulators, tasks, read_known(options.journal))


if __name__ == "__main__":
    main()
