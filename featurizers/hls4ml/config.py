"""An hls4ml configuration, dict or yml, at granularity model, type or name.

The innermost word wins: ``LayerName`` over ``LayerType`` over ``Model``, as in hls4ml's ``HLSConfig``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from featurizers.errors import InputError, LimitError
from featurizers.hls4ml.design import IO_TYPES, STRATEGIES
from featurizers.hls4ml.precision import DEFAULT, Precision, parse_precision

MAX_YAML_BYTES = 4 << 20
_NOTHING: Final[dict[str, Any]] = {}
_STRATEGY_WORDS = {
    "da": "distributed_arithmetic",
    "unrolled": "unrolled",
    "resource_unrolled": "unrolled",
    "compressed": "resource",
}


@dataclass(frozen=True, slots=True)
class HlsConfig:
    """model : the ``Model`` section; types, names : ``LayerType`` and ``LayerName``, keys in lower case and as given.

    project : the fields beside ``HLSConfig`` in a project's yml (Part, ClockPeriod, IOType, ...), keys in lower case.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    project: Mapping[str, Any] = field(default_factory=dict)

    def section(self, name: str, kind_names: Iterable[str]) -> list[Mapping[str, Any]]:
        """Sections that speak of a layer, the most specific first."""
        found = [self.names[name]] if name in self.names else []
        found += [self.types[kind] for kind in kind_names if kind in self.types]
        return [*found, self.model]

    def check_names(self, layers: Iterable[str]) -> None:
        """Raises InputError for a configured layer that the model does not have.

        ``fc1_relu`` is fine where ``fc1`` exists: hls4ml splits an activation off its layer under such a name.
        """
        known = set(layers)
        for name in self.names:
            stem = name
            while stem not in known and "_" in stem:
                stem = stem.rpartition("_")[0]
            if stem not in known:
                rule = f"must name a layer of the model ({', '.join(sorted(known)[:30])})"
                raise InputError("The hls4ml configuration's LayerName", rule, name, where=f"LayerName.{name}")


def parse_config(raw: object) -> HlsConfig:
    """A configuration from a dict, a yml text or bytes; None gives hls4ml's defaults. Raises InputError."""
    if raw is None:
        return HlsConfig()
    if isinstance(raw, (str, bytes)):
        raw = _load_yaml(raw)
    if not isinstance(raw, Mapping):
        raise InputError("The hls4ml configuration", "must be a mapping or its yml text", raw, where="hls_config")
    project = {str(key).lower(): value for key, value in raw.items() if key != "HLSConfig"}
    inner = raw.get("HLSConfig", raw)
    if not isinstance(inner, Mapping):
        raise InputError("HLSConfig", "must be a mapping", inner, where="hls_config.HLSConfig")
    types = {key.lower(): value for key, value in _sections(inner, "LayerType").items()}
    return HlsConfig(_lower(_mapping(inner, "Model")), types, _sections(inner, "LayerName"), project)


def _load_yaml(text: str | bytes) -> object:
    import yaml

    if len(text) > MAX_YAML_BYTES:
        raise LimitError("The hls4ml configuration", f"must be at most {MAX_YAML_BYTES} bytes", len(text))
    try:
        return yaml.load(text, Loader=_Loader.get())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        place = f"line {where.line + 1}, column {where.column + 1}" if where is not None else "hls_config"
        raise InputError("The hls4ml configuration", "must be valid yml", str(error)[:80], where=place) from error


class _Loader:
    """A safe yaml loader that reads ``!keras_model`` and the like as plain text: nothing in a file is executed."""

    _loader: Any = None

    @classmethod
    def get(cls) -> Any:
        if cls._loader is None:
            import yaml

            class PlainLoader(yaml.SafeLoader):
                def compose_node(self, parent: Any, index: Any) -> Any:
                    if self.check_event(yaml.events.AliasEvent):
                        raise yaml.constructor.ConstructorError(None, None, "aliases are not read", None)
                    return super().compose_node(parent, index)

            PlainLoader.add_multi_constructor("", lambda loader, suffix, node: str(node.value)[:200])
            cls._loader = PlainLoader
        return cls._loader


def _mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw.get(key)
    if section is None:
        return _NOTHING
    if not isinstance(section, Mapping):
        raise InputError(f"{key} of the hls4ml configuration", "must be a mapping", section, where=f"hls_config.{key}")
    return section


def _sections(raw: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    outer = _mapping(raw, key)
    return {str(name): _lower(_mapping(outer, name)) for name in outer}


def _lower(section: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in section.items()}


def precision_of(sections: Iterable[Mapping[str, Any]], variables: tuple[str, ...], where: str) -> Precision | None:
    """The first precision that the sections give for one of `variables`, e.g. ``('weight', 'kernel')``; else None."""
    for section in sections:
        given = section.get("precision")
        if given is None:
            continue
        if isinstance(given, str):
            parsed = parse_precision(given, where)
            if parsed is not None:
                return parsed
            continue
        if not isinstance(given, Mapping):
            raise InputError("The precision", "must be a string or a mapping of strings", given, where=where)
        for variable in (*variables, "default"):
            if variable in given:
                parsed = _one_precision(given[variable], f"{where}.Precision.{variable}")
                if parsed is not None:
                    return parsed
    return None


def _one_precision(value: object, where: str) -> Precision | None:
    if not isinstance(value, str):
        raise InputError("The precision", "must be a string", value, where=where)
    return parse_precision(value, where)


def default_precision(config: HlsConfig) -> Precision:
    """The model's default type, hls4ml's own ``fixed<16,6>`` when nothing is said."""
    return precision_of([config.model], (), "Model") or DEFAULT


def setting_of(sections: Iterable[Mapping[str, Any]], *keys: str) -> Any:
    """The first value that the sections give under one of `keys` (lower case), else None."""
    for section in sections:
        for key in keys:
            value = section.get(key)
            if value is not None:
                return value
    return None


def check_strategy(value: object, where: str) -> str:
    """A strategy in lower case. Raises InputError."""
    word = str(value).strip().lower() if isinstance(value, str) else ""
    word = _STRATEGY_WORDS.get(word, word)
    if word not in STRATEGIES:
        raise InputError("The strategy", f"must be one of {', '.join(STRATEGIES)}", value, where=where)
    return word


def check_io_type(value: object) -> str:
    """An io type. Raises InputError."""
    if not isinstance(value, str) or value.strip().lower() not in IO_TYPES:
        raise InputError("The io_type", f"must be one of {', '.join(IO_TYPES)}", value, where="io_type")
    return value.strip().lower()


def check_reuse(value: object, where: str) -> int:
    """A reuse factor as asked for; 0 is left to be corrected to 1. Raises InputError for any other number below 1."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value != int(value):
        raise InputError("The reuse factor", "must be a whole number", value, where=where)
    if value < 0:
        raise InputError("The reuse factor", "must be at least 1", value, where=where)
    return int(value)
