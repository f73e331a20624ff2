"""Fetch wa-hls4ml from its hub: resumed after an interruption, every file checked. Non-commercial use only.

python datasets/wa_hls4ml/build.py --out DIR [--subset test] [--list]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

HUB = "https://huggingface.co"
REPOSITORY = "fastmachinelearning/wa-hls4ml"
LICENCE = "CC-BY-NC-4.0"
_CHUNK = 1 << 20
_TIMEOUT_S = 60.0


def main() -> int:
    """Download what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--subset", default="", help="only paths that begin with this, e.g. 'test'")
    parser.add_argument("--list", action="store_true", help="print the files and their sizes, fetch nothing")
    given = parser.parse_args()
    print(
        f"{REPOSITORY} is licensed {LICENCE}: not for commercial use, nor for models that are shipped.", file=sys.stderr
    )
    with httpx.Client(base_url=HUB, follow_redirects=True, timeout=_TIMEOUT_S) as client:
        files = [entry for entry in list_files(client) if entry["path"].startswith(given.subset)]
        for entry in files:
            print(f"{entry['size'] / 1e6:10.1f} MB  {entry['path']}")
            if not given.list:
                fetch(client, entry, given.out / entry["path"])
    return 0


def list_files(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Path, size and checksum of every data file, page by page."""
    url: str | None = f"/api/datasets/{REPOSITORY}/tree/main?recursive=true"
    while url:
        answer = client.get(url).raise_for_status()
        for entry in answer.json():
            if entry["type"] == "file" and entry["path"].endswith((".json", ".jsonl", ".parquet")):
                yield entry
        following = answer.links.get("next")
        url = following["url"] if following else None


def fetch(client: httpx.Client, entry: dict[str, Any], target: Path) -> None:
    """One file into `target`; what an earlier run left in ``target.part`` is continued."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    if have < entry["size"]:
        headers = {"Range": f"bytes={have}-"} if have else {}
        url = f"/datasets/{REPOSITORY}/resolve/main/{entry['path']}"
        with client.stream("GET", url, headers=headers) as answer:
            answer.raise_for_status()
            mode = "ab" if answer.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
            with part.open(mode) as file:
                for chunk in answer.iter_bytes(_CHUNK):
                    file.write(chunk)
    check(part, entry)
    part.rename(target)


def check(part: Path, entry: dict[str, Any]) -> None:
    """The hub's size, and its SHA-256 where the file is stored by it."""
    if part.stat().st_size != entry["size"]:
        raise SystemExit(f"{part} has {part.stat().st_size} bytes of {entry['size']}: run again to continue.")
    expected = (entry.get("lfs") or {}).get("oid")
    if expected:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            part.unlink()
            raise SystemExit(f"{part}: SHA-256 {found}, expected {expected}; deleted, run again.")


if __name__ == "__main__":
    raise SystemExit(main())
