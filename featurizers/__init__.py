"""Raw input -> validated subject -> named vectors, parts and graphs. Knows no model and no service."""

from featurizers.core import Column, Features, Featurizer, Graph, Parts, Raw
from featurizers.errors import InputError, LimitError, UnknownNameError

__all__ = [
    "Column",
    "Features",
    "Featurizer",
    "Graph",
    "InputError",
    "LimitError",
    "Parts",
    "Raw",
    "UnknownNameError",
]
