"""The files under deploy/: manifests that a cluster accepts; settings, routes and files that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
OTHERS = {"COSTMODEL_DATABASE_URL"}
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_a_cluster_accepts_the_manifest(manifest: dict[str, Any]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs the extra 'dev'")
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifest, "spce": {}}, kubernetes_validate.latest_version(), strict=True)


def test_settings_that_are_set_exist() -> None:
    named = {name for path in DEPLOY.iterdir() for name in re.findall(r"COSTMODEL_[A-Z_]+", path.read_text())}
    known = {f"COSTMODEL_{name.upper()}" for name in Settings.__dataclass_fields__} | OTHERS
    assert named
    assert named <= known


def test_probes_ask_routes_that_exist() -> None:
    text = "".join(path.read_text() for path in DEPLOY.iterdir())
    probed = {one or other for one, other in re.findall(r"path: (/\w+)|8000(/\w+)'", text)}
    assert probed == {"/readyz", "/healthz", "/metrics"}
    documented = (DEPLOY.parent / "docs" / "service.md").read_text()
    assert probed <= set(re.findall(r"`?(/\w+)`", documented))


def test_services_wait_for_services_that_exist_and_files_are_there() -> None:
    for service in COMPOSE.values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE)
        for volume in service.get("volumes", []):
            assert not volume.startswith("./") or (DEPLOY / volume.split(":")[0]).is_file()
    for source in re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text(), re.M):
        assert (DEPLOY.parent / source).exists()
