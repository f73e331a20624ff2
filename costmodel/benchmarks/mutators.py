"""Sound inputs made unsound: bytes, JSON values, archives and MLIR text changed at random, by a seed."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

_NUMBERS = (0, -1, 1, 2, 7, 65, 255, 2**31 - 1, 2**31, 2**53, 2**63, 10**30, -(2**40), 1e308, -1e308, 1e-320, 0.5)
_TEXTS = (
    "", " ", "\x00", "None", "nan", "1e999", "é", "\u202e", "a" * 300, "../../etc/passwd", "http://127.0.0.1/", "{}",
    "%s%n", "-1", "0x10", "fixed<0,0>", "ap_fixed<999999,1>", "|", "||||", "~", "relu|", "\ud83d\ude00", "null",
)  # fmt: skip
_LITERALS = (b"NaN", b"Infinity", b"1e400", b"[" * 200, b'{"a":' * 100, b"tru", b"\xff\xfe", b"\\ud800", b'"')


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to eight edits: bits turned, bytes replaced, pieces cut, doubled, moved or cut off."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place = rng.randrange(len(data) + 1)
        length = rng.choice((1, 1, 2, 4, 8, rng.randrange(1, 200)))
        kind = rng.randrange(6)
        if kind == 0 and place < len(data):
            data = data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + rng.randbytes(length) + data[place + length :]
        elif kind == 2:
            data = data[:place] + data[place + length :]
        elif kind == 3:
            data = data[: place + length] + data[place:]
        elif kind == 4:
            data = data[:place] + rng.choice((b"\x00", b"\xff", b"\x80\x80\x80\x80\x80\x80\x80\x80\x7f")) * rng.choice(
                (1, 4, 16)
            ) + data[place + length :]  # fmt: skip
        elif rng.random() < 0.3:
            data = data[:place]
    return data


def changed_value(value: Any, rng: random.Random) -> Any:
    """One place of a JSON document replaced, taken out, doubled, renamed, nested or exchanged with another."""
    places = list(_places(value))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        holder, key = rng.choice(places)
        try:
            old = holder[key]
        except (KeyError, IndexError):
            continue
        kind = rng.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice((*_TEXTS, f"{key}s", str(key).upper()))] = holder.pop(key)
        elif kind == 2 and isinstance(holder, list):
            holder.extend([old] * rng.choice((1, 3, 50)))
        elif kind == 3:
            holder[key] = [old]
        elif kind == 4:
            other, at = rng.choice(places)
            holder[key] = json.loads(json.dumps(other[at])) if _has(other, at) else None
        else:
            holder[key] = _unlike(old, rng)
    return value


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list) and holder[key]:
                waiting.append(holder[key])
    return found


def _unlike(old: Any, rng: random.Random) -> Any:
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(_NUMBERS)
    if kind == 1:
        return rng.choice(_TEXTS)
    if kind == 2:
        return rng.choice((None, True, False, [], {}, [[]], [None], {"": 0}, [0] * 1000))
    if kind == 3 and isinstance(old, int | float):
        return old * rng.choice((-1, 0, 2, 10**9, 1.5))
    if kind == 4 and isinstance(old, str) and old:
        return changed_bytes(old.encode("utf-8", "surrogatepass"), rng).decode("utf-8", "replace")
    deep: Any = old
    for _ in range(rng.choice((3, 50, 400))):
        deep = [deep]
    return deep


def changed_text(text: bytes, rng: random.Random) -> bytes:
    """JSON text with something in it that JSON does not have, or bytes changed."""
    if rng.random() < 0.5:
        return changed_bytes(text, rng)
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(_LITERALS) + text[place + rng.randrange(3) :]


def changed_archive(data: bytes, rng: random.Random, change: Callable[[bytes, random.Random], bytes]) -> bytes:
    """A zip archive whose checksums hold, and one of whose members was changed, left out or renamed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    readable = [name for name in members if name.endswith((".json", ".h", ".yml"))]
    name = rng.choice(readable or list(members))
    kind = rng.randrange(8)
    content = members.pop(name)
    if kind == 0:
        members[rng.choice(("../" + name, "/" + name, name + "x", ""))] = content
    elif kind > 1:
        members[name] = change(content, rng)
    return zipped({member or "_": text for member, text in members.items()})


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    """A zip archive, the same whenever it is made."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def changed_json_text(text: bytes, rng: random.Random) -> bytes:
    """A JSON file: its values changed, or its text."""
    if rng.random() < 0.3:
        return changed_text(text, rng)
    return json.dumps(changed_value(json.loads(text), rng)).encode()
