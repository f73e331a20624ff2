"""Which version answers: the alias `champion`, moved only by a better error on the same held-out subjects."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.bundle_format import BundleError
from costmodel.tracking.store import CHAMPION, connect, registered_name

if TYPE_CHECKING:
    from costmodel.corpus import Corpus
    from costmodel.predictor import Predictor


def promote_if_better(client: Any, name: str, version: str, error: float, predictor: Predictor, corpus: Corpus) -> str:
    """Move the alias if `error` is below the champion's on the same held-out split; says what was done and why."""
    client.set_model_version_tag(name, version, "held_out_median_error", f"{error:.6f}")
    client.set_model_version_tag(name, version, "data_checksum", corpus.checksum)
    present = _champion(client, name)
    if present is None:
        client.set_registered_model_alias(name, CHAMPION, version)
        return f"{name} version {version} (held-out median error {error:.4f}) is the first champion."
    rival = _error_of(client, name, present, corpus, predictor)
    if rival is None:
        client.set_registered_model_alias(name, CHAMPION, version)
        return (
            f"{name} version {version} (held-out median error {error:.4f}) is the new champion: version "
            f"{present.version} cannot be read by this version of the featurizer, or lacks its devices."
        )
    if error < rival:
        client.set_registered_model_alias(name, CHAMPION, version)
        return f"{name} version {version} is the new champion: {error:.4f} against {rival:.4f} of {present.version}."
    return f"{name} version {version} is not better: {error:.4f} against {rival:.4f} of champion {present.version}."


def _champion(client: Any, name: str) -> Any | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _error_of(client: Any, name: str, present: Any, corpus: Corpus, rival: Predictor) -> float | None:
    """The champion's error on this corpus: as tagged when the data are the same, or when it was fitted to every split;
    else measured anew."""
    from costmodel.kinds import load_bundle
    from costmodel.training.run import evaluate_on, held_out_error

    tags = present.tags
    with tempfile.TemporaryDirectory() as scratch:
        try:
            champion = load_bundle(download_bundle(client, name, present, Path(scratch)))
        except BundleError:
            return None
        if not set(rival.devices) <= set(champion.devices):
            return None
        if "held_out" in champion.card and "held_out_median_error" in tags:
            return float(tags["held_out_median_error"])  # fitted to these very subjects, or to their neighbours
        same_data = tags.get("data_checksum") == corpus.checksum
        if same_data and set(rival.devices) == set(champion.devices) and "held_out_median_error" in tags:
            return float(tags["held_out_median_error"])
        return held_out_error([row for row in evaluate_on(champion, corpus) if row["device"] in rival.devices])


def download_bundle(client: Any, name: str, version: Any, into: Path) -> Path:
    """Fetch a registered version's bundle; returns its folder."""
    import mlflow

    uri = f"models:/{name}/{version.version}"
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into)))
    return folder / "artifacts" / "bundle" if (folder / "artifacts" / "bundle").exists() else _find_bundle(folder)


def _find_bundle(folder: Path) -> Path:
    found = sorted(folder.rglob("bundle.json"))
    if not found:
        raise BundleError(f"The registered model in {folder} holds no bundle.")
    return found[0].parent


def champion_of(kind: str) -> Any | None:
    """The registered champion's model version of a kind, or None. Raises what the store raises when it is gone."""
    return _champion(connect(), registered_name(kind))
