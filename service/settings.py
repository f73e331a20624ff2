"""Every setting of the service in one typed table, read from the environment as ``COSTMODEL_<NAME>``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from featurizers.errors import InputError, UnknownNameError

PREFIX = "COSTMODEL_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _setting(default: Any, help_text: str, at_least: float = 0) -> Any:
    return field(default=default, metadata={"help": help_text, "at_least": at_least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Names carry units; defaults suit one machine and trusted callers on loopback."""

    body_bytes_max: int = _setting(512 * 1024**2, "Largest request body; a longer one is refused before it is read.", 1)
    bodies_bytes_max: int = _setting(
        2 * 1024**3, "Bytes of all long request bodies that are in memory at once; more are refused with 503.", 1
    )
    silence_s_max: float = _setting(
        60.0,
        "How long a caller may be silent in the middle of a request, take over its headers, or not take its answer, "
        "before its connection is closed.",
        0.1,
    )
    items_max: int = _setting(100_000, "Most inputs in one request.", 1)
    json_values_max: int = _setting(
        10_000_000, "Most commas and brackets in one JSON body: bounds the memory that decoding it can take.", 1
    )
    inline_bytes_max: int = _setting(
        4096,
        "JSON bodies up to this size without a file are answered at once, all others in a worker thread; so are kinds "
        "that another process reads (MLIR).",
    )
    inline_items_max: int = _setting(8, "Requests with more inputs than this are answered in a worker thread.")
    threads: int = _setting(2, "Worker threads for files and large requests.", 1)
    queue_max: int = _setting(64, "Requests that may wait for a worker thread; more are refused with 503.")
    retry_after_s: int = _setting(1, "What a refused caller is told to wait.", 1)
    reading_s_max: float = _setting(20.0, "Seconds that reading one file may take; its process is then replaced.", 0.01)
    reading_bytes_max: int = _setting(
        4 * 1024**3, "Memory of a process that reads files of callers (ONNX, torch.export, Keras, projects).", 1 << 28
    )
    memory_bytes_max: int = _setting(
        64 * 1024**2, "Per kind and process: answers kept for inputs that come again; 0 keeps none."
    )
    refresh_interval_s: float = _setting(1.0, "How often the registry is asked for a new champion.", 0.01)
    models_dir: str = _setting("", "Folder of bundles by kind; when empty, the packaged ones.")
    use_registry: bool = _setting(True, "Whether MLflow's champions take the place of the packaged models.")
    access: str = _setting(
        "auto",
        "Who needs an API key: `auto` callers of other machines, `keys` everybody, `open` nobody, which is how to put "
        "a service without keys on a public address.",
    )
    requests_per_s_max: float = _setting(
        0.0, "Requests per second of one key, or of one address without a key, in each process; 0 sets no limit."
    )
    reports_last: int = _setting(1000, "Of how many reports of a device a model's standing is told.", 1)
    log_requests: bool = _setting(False, "Whether every request is logged, as one line of JSON.")
    database_url: str = _setting(
        "",
        "Where added devices are kept, `sqlite:///path` or `postgresql://user:password@host/name`; when empty, a "
        "SQLite file of the user (`~/.local/share/costmodel/state.db`).",
    )
    devices_interval_s: float = _setting(0.5, "How often devices that other processes added are looked for.", 0.01)
    expose_echo: bool = _setting(False, "Adds POST /v1/echo, the yardstick of the serving benchmark.")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            value, at_least = getattr(self, spec.name), spec.metadata["at_least"]
            if isinstance(value, int | float) and not at_least <= value < float("inf"):
                raise InputError(f"The setting {PREFIX}{spec.name.upper()}", f"must be at least {at_least}", value)

        if self.access not in ("auto", "keys", "open"):
            raise UnknownNameError(f"value of the setting {PREFIX}ACCESS", self.access, ("auto", "keys", "open"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Settings of the process's environment. Raises `InputError` naming a variable that cannot be read."""
        variables = os.environ if environment is None else environment
        given = {
            spec.name: _read(PREFIX + spec.name.upper(), variables[PREFIX + spec.name.upper()], type(spec.default))
            for spec in dataclasses.fields(cls)
            if PREFIX + spec.name.upper() in variables
        }
        return cls(**given)


def _read(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise InputError(f"The setting {name}", "must be true or false", text)
    try:
        return kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise InputError(f"The setting {name}", f"must be {noun}", text) from None
