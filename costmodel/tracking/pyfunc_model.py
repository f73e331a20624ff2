"""The MLflow flavour, as 'models from code': MLflow runs this file, so no pickle is written or read.

Input: one column ``input``, each row the JSON text of one raw input (binary fields in base64). Parameters: ``device``
(comma-separated names) and ``targets`` (likewise; empty: all of the device). Output: one row per prediction, or one
with ``error`` for an input that could not be answered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class CostModelPyfunc(PythonModel):  # type: ignore[misc]
    """Wraps a `Predictor` loaded from the artifact ``bundle``."""

    def load_context(self, context: Any) -> None:
        from costmodel.kinds import load_bundle

        self.predictor = load_bundle(Path(context.artifacts["bundle"]))

    # No hint on model_input: MLflow would read one as the schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        import pandas as pd

        from costmodel.tracking.records import prediction_records

        params = params or {}
        texts = model_input["input"] if hasattr(model_input, "columns") else _texts(model_input)
        devices = [name for name in str(params.get("device") or "").split(",") if name]
        targets = [name for name in str(params.get("targets") or "").split(",") if name]
        default = [next(iter(self.predictor.devices))]
        raws = [json.loads(text) for text in texts]
        return pd.DataFrame(prediction_records(self.predictor, raws, devices or default, targets or None))


def _texts(model_input: Any) -> list[str]:
    return [row["input"] if isinstance(row, dict) else str(row) for row in model_input]


set_model(CostModelPyfunc())
