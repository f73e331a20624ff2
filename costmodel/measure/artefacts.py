"""Prepared models on disk: one folder per network and device, complete when its marker exists."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from costmodel.measure.devices import DEVICES
from costmodel.measure.runtimes import UnsupportedModelError, runtime
from costmodel.measure.runtimes.base import write_atomically
from costmodel.zoo import NetworkSpec, build, size

_CLAIM = "claimed"
MAX_BATCH_FLOPS = 6e9
"""Larger batched networks would take most of a campaign's time and teach little."""


def folder_of(root: Path, network_id: str, key: str) -> Path:
    """Where the artefacts of a network on a device lie."""
    return root / network_id / key


def status_of(root: Path, network_id: str) -> dict[str, str] | None:
    """Per device '' when it is ready, otherwise the reason why not; None when not yet prepared."""
    marker = root / network_id / "prepared.json"
    if not marker.exists():
        return None
    status: dict[str, str] = json.loads(marker.read_text())
    return status


def prepare_network(root: Path, spec: NetworkSpec, keys: list[str]) -> None:
    """Prepare a network for every device; does nothing when that is done or another process is doing it."""
    folder = root / spec.network_id
    if (folder / "prepared.json").exists() or not _claim(folder):
        return
    status, models = {}, {}
    flops = size(spec).flops
    for key in keys:
        device = DEVICES[key]
        if device.batch > 1 and flops * device.batch > MAX_BATCH_FLOPS:
            status[key] = f"not measured: {flops * device.batch / 1e9:.1f} GFLOPs exceed the batch limit"
            continue
        if device.batch not in models:
            models[device.batch] = build(spec, device.batch).SerializeToString()
        status[key] = prepare_device(folder / key, key, models[device.batch])
    _share_equal_files(folder)
    write_atomically(folder / "prepared.json", json.dumps(status).encode())


def release_claims(root: Path) -> None:
    """Forget who was preparing what; for a start after an interruption, when nobody prepares."""
    for claim in root.glob(f"*/{_CLAIM}"):
        claim.unlink()


def _claim(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(folder / _CLAIM, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def prepare_device(folder: Path, key: str, model: bytes) -> str:
    """Prepare one model for one device; the reason of a failure, or ''."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        runtime(DEVICES[key].runtime).prepare(model, folder)
    except UnsupportedModelError as error:
        return str(error)
    return ""


def _share_equal_files(folder: Path) -> None:
    """Unoptimised copies of the same model become one file, so that the page cache holds it once."""
    first, second = folder / "ort-fp32-noopt-b1" / "model.onnx", folder / "torch-eager-fp32-b1" / "model.onnx"
    if first.exists() and second.exists():
        second.unlink()
        os.link(first, second)
