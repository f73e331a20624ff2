"""Make the NAS latency tables from a checkout of HELP's repository.

    python datasets/nas_latency/build.py --help-repo HELP --out DIR

Needs torch (to read the origin's files, without executing anything in them) and pyarrow. Every device file that is
there becomes a column.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import torch

FBNET_OPS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")


def read(path: Path) -> Any:
    """Plain lists, dicts, numbers and tensors; anything else in the file is refused by torch."""
    return torch.load(path, map_location="cpu", weights_only=True)


def nasbench201(folder: Path) -> dict[str, pa.Array]:
    """The architecture strings in the order of their indices."""
    index_of: Mapping[str, int] = read(folder / "str_arch2idx.pt")
    ordered = sorted(index_of, key=lambda name: int(index_of[name]))
    if [int(index_of[name]) for name in ordered] != list(range(len(ordered))):
        raise SystemExit(f"{folder}/str_arch2idx.pt: the indices are not 0 to {len(ordered) - 1}.")
    return {"arch_str": pa.array(ordered)}


def fbnet(folder: Path) -> dict[str, pa.Array]:
    """Operation indices and their names."""
    rows = [[int(op) for op in arch["op_idx_list"]] for arch in read(folder / "metainfo.pt")["arch"]]
    return {
        "op_idx": pa.array(rows, pa.list_(pa.int8(), 22)),
        "arch_str": pa.array(["|".join(FBNET_OPS[op] for op in row) for row in rows]),
    }


def ofa(folder: Path) -> dict[str, pa.Array]:
    """Kernel sizes, expansions, depths and resolution."""
    archs = read(folder / "ofa_archs.pt")["arch"]

    def field(name: str, size: int) -> pa.Array:
        return pa.array([[int(v) for v in arch[name]] for arch in archs], pa.list_(pa.int8(), size))

    resolution = [arch["r"][0] if isinstance(arch["r"], (list, tuple)) else arch["r"] for arch in archs]
    columns = {name: field(name, size) for name, size in (("ks", 20), ("e", 20), ("d", 5))}
    return columns | {"r": pa.array([int(r) for r in resolution], pa.int16())}


SPACES: dict[str, Callable[[Path], dict[str, pa.Array]]] = {"nasbench201": nasbench201, "fbnet": fbnet, "ofa": ofa}


def build(help_repo: Path, out: Path, space: str) -> Path:
    """One table. SystemExit names a device whose list has another length than the list of architectures."""
    folder = help_repo / "data" / space
    architectures = SPACES[space](folder)
    rows = len(next(iter(architectures.values())))
    columns: dict[str, pa.Array] = {"arch_index": pa.array(range(rows), pa.int32()), **architectures}
    for path in sorted((folder / "latency").glob("*.pt")):
        latency = [float(value) for value in read(path)]
        if len(latency) != rows:
            raise SystemExit(f"{path}: {len(latency)} latencies for {rows} architectures.")
        columns[path.stem] = pa.array(latency, pa.float64())
    target = out / f"{space}_latency.parquet"
    parquet.write_table(pa.table(columns), target, compression="zstd")
    return target


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--help-repo", type=Path, required=True, help="a checkout of HayeonLee/HELP")
    parser.add_argument("--out", type=Path, required=True, help="where the tables go")
    parser.add_argument("--space", choices=sorted(SPACES), action="append", help="only these (default: all)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for space in args.space or SPACES:
        print(build(args.help_repo, args.out, space))


if __name__ == "__main__":
    main()
