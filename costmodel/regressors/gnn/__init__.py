"""Graph neural networks over `Features.graphs`. Importing this imports no torch: that comes with `fit`."""

from costmodel.regressors.gnn.regressor import Gnn

__all__ = ["Gnn"]
