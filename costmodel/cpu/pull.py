"""``python -m costmodel.cpu.pull NAME --mirror DIR --out DIR``: tables of public data sets, checked by sha256."""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError

CARDS = ("sparecores", "perfcastdb", "mlperf_inference")


def read_card(folder: Path) -> dict[str, Any]:
    """The dataset.yaml of a folder in datasets/. CorpusError where there is none."""
    import yaml

    path = folder / "dataset.yaml"
    if not path.is_file():
        raise CorpusError(f"There is no dataset.yaml in {folder}.")
    card: dict[str, Any] = yaml.safe_load(path.read_text())
    return card


def pull(card: dict[str, Any], mirror: Path, out: Path) -> list[Path]:
    """Copy a card's files from the mirror into `out`. CorpusError: a file is missing or not the one that was carded."""
    out.mkdir(parents=True, exist_ok=True)
    copied = []
    for name, entry in card["files"].items():
        source = mirror / card["mirror_folder"] / name
        if not source.is_file():
            raise CorpusError(f"The mirror has no file {card['mirror_folder']}/{name}.")
        found = hashlib.sha256(source.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise CorpusError(f"{name}: its sha256 is {found}, the card of '{card['name']}' says {entry['sha256']}.")
        copied.append(Path(shutil.copyfile(source, out / name)))
    return copied


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CARDS)
    parser.add_argument("--cards", type=Path, default=Path("datasets"), help="folder of the cards")
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for path in pull(read_card(args.cards / args.name), args.mirror, args.out):
        print(path)


if __name__ == "__main__":
    main()
