"""Programs as text: the networks of 'ML-driven Hardware Cost Model for MLIR', the baselines that columns have to beat.

Importing this imports no torch: that comes with `fit`.
"""

from costmodel.regressors.sequence.regressor import Conv1d, Lstm

__all__ = ["Conv1d", "Lstm"]
