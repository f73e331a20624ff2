"""The first seam for servers: raw fields, ``lscpu -J`` or a cloud server type -> `ServerSpec` -> named numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from featurizers.core import Column, Features, Featurizer, Raw
from featurizers.cpu.columns import COLUMNS, vectors
from featurizers.cpu.fields import read_fields
from featurizers.cpu.readers import merged
from featurizers.cpu.rows import spec_from_perfcastdb, spec_from_sparecores
from featurizers.cpu.server_types import read_server_type
from featurizers.cpu.spec import ServerSpec, check, resolve
from featurizers.cpu.tables import microarchitectures, processors
from featurizers.errors import InputError

_ROWS = {"sparecores": spec_from_sparecores, "perfcastdb": spec_from_perfcastdb}


class CpuFeaturizer(Featurizer[ServerSpec]):
    """Servers and their processors.

    A raw input holds fields of `ServerSpec` (any that are known), or what the machine prints (``lscpu``, ``meminfo``,
    ``cpuinfo``, ``dmidecode``), or only the name of a cloud server type (``{"server": "aws/m7i.large"}``), or a row of
    a data set (``sparecores``, ``perfcastdb``). Fields that are given win over what was printed.
    """

    kind = "cpu"
    version = "2"
    columns: tuple[Column, ...] = COLUMNS
    part_columns: tuple[Column, ...] = ()

    def parse(self, raw: Raw) -> ServerSpec:
        """Raises InputError: see `read_fields`, `read_lscpu` and `check`."""
        if not isinstance(raw, Mapping) or not raw:
            raise InputError("A server", "must be a non-empty object of fields", raw, where="$")
        for name, reader in _ROWS.items():
            if name in raw:
                spec = reader(_row(raw, name))
                check(spec, where=f"$.{name}", offline=True)
                return spec
        printed = merged(raw)
        given = read_fields(raw)
        typed = read_server_type(given) if not printed and "logical_cpus" not in given else {}
        spec = resolve(typed | printed | given)
        check(spec, where="$", offline=bool(printed) and "logical_cpus" not in given)
        return spec

    def features(
        self, subjects: Sequence[ServerSpec], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        """float32 (n, columns), NaN where a fact is not known. Servers have no parts, and no profile changes them."""
        return Features(vectors(subjects), COLUMNS)

    def warm(self, profiles: Sequence[str]) -> None:
        """Read the tables of facts."""
        microarchitectures()
        processors()


def _row(raw: Raw, name: str) -> Mapping[str, Any]:
    row = raw[name]
    if not isinstance(row, Mapping):
        raise InputError(f"The '{name}'", "must be a row: an object of columns", row, where=f"$.{name}")
    return row
