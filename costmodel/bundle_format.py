"""The bundle on disk: one folder, JSON and compressed text, a checksum of every file. Nothing in it is ever executed.

    bundle.json      format_version, kind, name, version, featurizer version and columns, devices, targets, models, card
    models/<n>/      one per (device, target): target.json, domain.json.zst, regressor/
    points.json.zst  optional: held-out predictions beside measurements (costmodel.evaluation.points)
    checksums.json   sha256 of every other file

To raise `FORMAT_VERSION`: (1) raise it here; (2) keep reading the old one: add a function `_from_<old>` that turns the
old `bundle.json` into the new one, to `_UPGRADES`; (3) add a bundle of the old format to tests/costmodel/old_bundles/,
which the test loads and predicts with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from costmodel.regressors.base import read_json, write_json

FORMAT_VERSION = 1

_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class BundleError(ValueError):
    """The folder is not a bundle that can be trusted and read; nothing of it was used."""


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write bundle.json, then the checksums of all files in `folder`."""
    write_json(folder / "bundle.json", {"format_version": FORMAT_VERSION, **content})
    write_checksums(folder)


def write_checksums(folder: Path) -> None:
    """Of all files as they are now: the last step whenever a bundle is written or given a file."""
    write_json(folder / "checksums.json", _checksums(folder))


def read_manifest(folder: Path) -> dict[str, Any]:
    """bundle.json in the present format. BundleError: no bundle, a changed file, or a format we cannot read."""
    if not (folder / "bundle.json").is_file() or not (folder / "checksums.json").is_file():
        raise BundleError(f"{folder} is not a bundle: it has no bundle.json and checksums.json.")
    try:
        expected, content = read_json(folder / "checksums.json"), read_json(folder / "bundle.json")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder}: not readable as JSON: {error}.") from error
    found = _checksums(folder)
    changed = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if changed:
        raise BundleError(f"{folder}: {', '.join(changed[:5])} changed since the bundle was written.")
    version = content.get("format_version")
    while version in _UPGRADES:
        content = _UPGRADES[version](content)
        version = content["format_version"]
    if version != FORMAT_VERSION:
        raise BundleError(f"{folder}: bundle format {version!r}; this version reads up to {FORMAT_VERSION}.")
    return content


def bundle_digest(folder: Path) -> str:
    """sha256 over all files: the identity of a bundle."""
    return hashlib.sha256(json.dumps(_checksums(folder), sort_keys=True).encode()).hexdigest()


def _checksums(folder: Path) -> dict[str, str]:
    """By place in the folder, of every file but the checksums themselves. Plain strings: a service that starts reads a
    few hundred files, and to make paths of them takes longer than to read them."""
    found, root = {}, os.fspath(folder)
    for place, _, names in os.walk(root):
        inside = place[len(root) + 1 :].replace(os.sep, "/")
        for name in names:
            if name != "checksums.json":
                with open(f"{place}{os.sep}{name}", "rb") as file:
                    found[f"{inside}/{name}" if inside else name] = hashlib.sha256(file.read()).hexdigest()
    return found
