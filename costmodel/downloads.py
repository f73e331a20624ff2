"""Files from public places: streamed to disk, taken up where an earlier attempt stopped, and checked before use."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import httpx

from costmodel.corpus import CorpusError

_BLOCK = 1 << 20
_TIMEOUT_S = 60.0
_ATTEMPTS = 4
"""Requests for one file in all: each goes on where the last one was cut off."""


def sha256_of(path: Path) -> str:
    """Of a file's content, in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def download(url: str, out: Path, sha256: str | None = None, client: httpx.Client | None = None) -> Path:
    """Fetch `url` into the file `out`, by way of ``<out>.part``, which an interrupted attempt leaves for the next one.

    Raises CorpusError where the server does not give it, or its sha256 is another one (what came is then deleted).
    """
    if out.is_file() and sha256 is not None and sha256_of(out) == sha256:
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    with client or httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as http:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                _fetch(http, url, part)
                break
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS:
                    kept = part.stat().st_size if part.is_file() else 0
                    raise CorpusError(f"{url} cannot be reached: {error}. {kept} bytes are kept in {part}.") from None
    found = sha256_of(part)
    if sha256 is not None and found != sha256:
        part.unlink()
        raise CorpusError(f"{url}: its sha256 is {found}, the card says {sha256}.")
    part.replace(out)
    return out


def _fetch(http: httpx.Client, url: str, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    headers = {"accept-encoding": "identity"} | ({"range": f"bytes={have}-"} if have else {})
    with http.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # there is nothing after what we have
        if not answer.is_success:
            raise CorpusError(f"{url}: the server answers {answer.status_code} {answer.reason_phrase}.")
        # A server that knows no ranges sends the whole file, and we begin again.
        mode = "ab" if answer.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
        with part.open(mode) as stream:
            # Blocks as they come: one of a fixed size would be lost with the connection that was to fill it.
            for block in answer.iter_raw():
                stream.write(block)


def check_commit(archive: Path, commit: str) -> None:
    """Hold a ``git archive`` (GitHub's .tar.gz) to the commit that it was made of, which stands in its first header.

    Raises CorpusError. Such archives have no lasting sha256: their compression changes, their content does not.
    """
    try:
        with tarfile.open(archive) as opened:
            found = opened.pax_headers.get("comment", "")
            for member in opened:
                del member  # reads to the end: a truncated archive shows itself
    except (tarfile.TarError, EOFError, OSError) as error:
        archive.unlink()
        raise CorpusError(f"{archive.name} cannot be read as an archive: {error}.") from None
    if found != commit:
        archive.unlink()
        raise CorpusError(f"{archive.name} is of commit '{found}', the card says {commit}.")
