"""The wa-hls4ml collection from its hub: streamed, taken up where an earlier attempt stopped, every file checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import httpx

from costmodel.corpus import CorpusError
from costmodel.downloads import download

NAME: Final = "wa-hls4ml"
HUB: Final = "https://huggingface.co"
REPOSITORY: Final = "fastmachinelearning/wa-hls4ml"
LICENCE: Final = "CC-BY-NC-4.0"
NOTICE: Final = (
    f"{REPOSITORY} is licensed {LICENCE}: not for commercial use. A bundle trained on it is marked "
    "'not for redistribution' and never becomes part of the package."
)
_KEPT: Final = (".json", ".jsonl", ".parquet")
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class HubFile:
    """size : bytes. sha256 : '' for small files, which the hub does not give it of."""

    path: str
    size: int
    sha256: str


def pull_collection(out: Path, hub: str = HUB, subset: str = "", tell: Callable[[str], None] = print) -> list[Path]:
    """Fetch what is missing of the files whose path begins with `subset`. Raises CorpusError."""
    hub = hub.rstrip("/")
    fetched = []
    for file in list_files(hub):
        if not file.path.startswith(subset):
            continue
        tell(f"{file.size / 1e6:10.1f} MB  {file.path}")
        target = out / file.path
        if not (target.is_file() and target.stat().st_size == file.size):
            url = f"{hub}/datasets/{REPOSITORY}/resolve/main/{file.path}"
            download(url, target, file.sha256 or None)
        found = target.stat().st_size
        if found != file.size:
            target.unlink()
            raise CorpusError(f"{file.path}: {found} bytes came, the hub says {file.size}.")
        fetched.append(target)
    if not fetched:
        raise CorpusError(f"The hub has no file of {REPOSITORY} that begins with '{subset}'.")
    return fetched


def list_files(hub: str) -> Iterator[HubFile]:
    """Every data file of the collection, page by page. Raises CorpusError."""
    url: str | None = f"{hub}/api/datasets/{REPOSITORY}/tree/main?recursive=true"
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as client:
        while url:
            try:
                answer = client.get(url).raise_for_status()
            except httpx.HTTPError as error:
                raise CorpusError(f"The hub's list of files cannot be read: {error}.") from None
            yield from (_file(e) for e in answer.json() if e["type"] == "file" and e["path"].endswith(_KEPT))
            url = answer.links.get("next", {}).get("url")


def _file(entry: Mapping[str, Any]) -> HubFile:
    path = PurePosixPath(entry["path"])
    if path.is_absolute() or ".." in path.parts:
        raise CorpusError(f"The hub names a file outside of the collection: {entry['path']}.")
    return HubFile(entry["path"], int(entry["size"]), str((entry.get("lfs") or {}).get("oid", "")))
