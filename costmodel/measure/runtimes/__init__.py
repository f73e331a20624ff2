"""Runtimes that can be measured, by name; each is imported only when it is asked for."""

from costmodel.measure.runtimes.base import Runnable, Runtime, UnsupportedModelError
from costmodel.measure.runtimes.registry import RUNTIMES, runtime

__all__ = ["RUNTIMES", "Runnable", "Runtime", "UnsupportedModelError", "runtime"]
