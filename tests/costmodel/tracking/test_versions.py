"""What the registry tells of a model's versions."""

from __future__ import annotations

from costmodel.tracking.versions import run_address


def test_a_run_of_a_server_has_an_address_without_its_password() -> None:
    assert run_address("https://me:secret@ml.example/flow/", "3", "ab") == (
        "https://ml.example/flow/#/experiments/3/runs/ab"
    )


def test_a_run_in_a_file_has_none() -> None:
    assert run_address("sqlite:////tmp/mlflow.db", "3", "ab") is None
