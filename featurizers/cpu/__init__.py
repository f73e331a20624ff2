"""Servers: ``lscpu -J``, fields, cloud server types and data-set rows -> `ServerSpec` -> named numbers."""

from featurizers.cpu.describe import describe_host
from featurizers.cpu.featurizer import CpuFeaturizer
from featurizers.cpu.spec import ServerSpec

__all__ = ["CpuFeaturizer", "ServerSpec", "describe_host"]
