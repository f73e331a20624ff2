"""MLIR programs: generating, labelling and predicting what they cost."""
