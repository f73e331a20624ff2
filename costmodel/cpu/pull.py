"""Public data sets by their cards: tables from a mirror, or the origin's own archives at the carded commits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costmodel.corpus import CorpusError
from costmodel.downloads import check_commit, download, sha256_of

CARDS = ("sparecores", "perfcastdb", "mlperf_inference")
ARCHIVES = "https://codeload.github.com"
"""Where GitHub gives ``/OWNER/REPOSITORY/tar.gz/COMMIT``."""


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
        found = sha256_of(source)
        if found != entry["sha256"]:
            raise CorpusError(f"{name}: its sha256 is {found}, the card of '{card['name']}' says {entry['sha256']}.")
        copied.append(Path(shutil.copyfile(source, out / name)))
    return copied


def pull_tables(card: dict[str, Any], url: str, out: Path) -> list[Path]:
    """A card's files from an HTTP mirror, ``URL/<mirror_folder>/<file>``. Raises CorpusError."""
    place = f"{url.rstrip('/')}/{card['mirror_folder']}"
    return [download(f"{place}/{name}", out / name, entry["sha256"]) for name, entry in card["files"].items()]


def pull_origin(card: dict[str, Any], out: Path, archives: str = ARCHIVES) -> list[Path]:
    """The origin's repositories as archives at the carded commits. Raises CorpusError."""
    fetched = []
    for owner, repository, commit in origins(card):
        archive = out / f"{repository}-{commit[:12]}.tar.gz"
        if not archive.is_file():
            download(f"{archives}/{owner}/{repository}/tar.gz/{commit}", archive)
        check_commit(archive, commit)
        fetched.append(archive)
    return fetched


def origins(card: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(owner, repository, commit) of each of a card's origins on GitHub."""
    entries = [card["origin"]] if "repository" in card["origin"] else list(card["origin"].values())
    found = []
    for entry in entries:
        owner, repository = str(entry["repository"]).removeprefix("https://github.com/").split("/")
        found.append((owner, repository, str(entry["commit"])))
    return found
