"""Zip and tar files that users hand in: never extracted, never larger than stated, whatever they claim."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from featurizers.errors import InputError, LimitError

MAX_ARCHIVE_BYTES = 256 << 20
MAX_MEMBERS = 20_000
MAX_MEMBER_BYTES = 64 << 20
MAX_TOTAL_BYTES = 128 << 20

Wanted = Callable[[str], bool]


def read_members(data: bytes, wanted: Wanted) -> dict[str, bytes]:
    """The wanted members of a zip or (compressed) tar archive, by name. Raises InputError, LimitError."""
    if len(data) > MAX_ARCHIVE_BYTES:
        raise LimitError("The archive", f"must be at most {MAX_ARCHIVE_BYTES} bytes", len(data))
    try:
        members = _zip(data, wanted) if zipfile.is_zipfile(io.BytesIO(data)) else _tar(data, wanted)
        return _bounded(members)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        OSError,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("The archive", "must be a readable zip or tar file", str(error)[:80]) from error


def read_folder(folder: Path, wanted: Wanted) -> dict[str, bytes]:
    """The wanted files below a folder, by path relative to it."""
    if not folder.is_dir():
        raise InputError("The project", "must be a folder", str(folder))
    return _bounded(_files(folder, wanted))


def _bounded(members: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, content in members:
        total += len(content)
        if total > MAX_TOTAL_BYTES:
            raise LimitError("The files read from the archive", f"must be at most {MAX_TOTAL_BYTES} bytes in all")
        found[name] = content
    return found


def _files(folder: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if wanted(name) and path.is_file():
            _check_member(name, path.stat().st_size)
            yield name, path.read_bytes()


def _check_member(name: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise LimitError(
            f"The file '{PurePosixPath(name).name}' in the archive",
            f"must be at most {MAX_MEMBER_BYTES} bytes unpacked",
            size,
        )


def _zip(data: bytes, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise LimitError("The archive", f"must have at most {MAX_MEMBERS} members", len(infos))
        for info in infos:
            if wanted(info.filename):
                _check_member(info.filename, info.file_size)
                with archive.open(info) as stream:
                    content = stream.read(MAX_MEMBER_BYTES + 1)
                _check_member(info.filename, len(content))
                yield info.filename, content


def _tar(data: bytes, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    seen = skipped = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
        for member in archive:
            seen += 1
            skipped += member.size
            if seen > MAX_MEMBERS or skipped > 8 * MAX_TOTAL_BYTES:
                raise LimitError(
                    "The archive",
                    f"must have at most {MAX_MEMBERS} members and {8 * MAX_TOTAL_BYTES} bytes unpacked",
                    seen,
                )
            if member.isfile() and wanted(member.name):
                _check_member(member.name, member.size)
                stream = archive.extractfile(member)
                if stream is not None:
                    yield member.name, stream.read(MAX_MEMBER_BYTES + 1)
