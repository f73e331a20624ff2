"""More than one machine: labels, features, predictions and large fits on a Dask cluster, or here without one.

Commands take ``--scheduler tcp://host:8786``; without it the same functions run in this process and give the same
results. ``pip install 'costmodel[distributed]'`` on every machine, then ``dask scheduler`` and ``dask worker``.
Importing this imports no Dask.
"""

from costmodel.distributed.cluster import Cluster, Here, active, connected

__all__ = ["Cluster", "Here", "active", "connected"]
