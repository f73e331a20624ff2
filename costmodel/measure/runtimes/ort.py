"""onnxruntime on the CPU, float32, with and without graph optimisation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from costmodel.measure.runtimes.base import (
    Runnable,
    UnsupportedModelError,
    example_inputs,
    load_inputs,
    save_inputs,
)

MODEL_FILE = "model.onnx"


class OrtRunnable:
    """A session with its inputs bound once, so that a run copies nothing."""

    def __init__(self, session: Any, folder: Path):
        self._session = session
        self._binding = session.io_binding()
        for name, array in load_inputs(folder).items():
            self._binding.bind_cpu_input(name, array)
        for output in session.get_outputs():
            self._binding.bind_output(output.name)

    def run(self) -> None:
        """Execute once."""
        self._session.run_with_iobinding(self._binding)

    def end_profile(self) -> list[dict[str, Any]]:
        """The profiler's events since loading (only after `load_profiled`); its file is removed."""
        path = Path(self._session.end_profiling())
        events: list[dict[str, Any]] = json.loads(path.read_text())
        path.unlink()
        return events

    def close(self) -> None:
        """Free the session."""
        del self._binding, self._session


class OrtRuntime:
    """`optimise`: all graph optimisations, done once in `prepare` and saved; otherwise none at all."""

    def __init__(self, name: str, *, optimise: bool):
        self.name = name
        self._optimise = optimise

    def version(self) -> str:
        """Library and version."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    def prepare(self, model: bytes, folder: Path) -> None:
        """Save the graph that will be executed, and the inputs."""
        proto = onnx.load_model_from_string(model)
        save_inputs(example_inputs(proto), folder)
        if self._optimise:
            save_optimised(model, folder / MODEL_FILE)
        else:
            _session(model, _options())  # refuses here what it would refuse on loading
            (folder / MODEL_FILE).write_bytes(model)

    def load(self, folder: Path) -> Runnable:
        """A session on the saved graph, which is not optimised again."""
        return OrtRunnable(_session(folder / MODEL_FILE, _options()), folder)

    def load_profiled(self, folder: Path) -> OrtRunnable:
        """The same with the per-node profiler switched on."""
        options = _options()
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
        return OrtRunnable(_session(folder / MODEL_FILE, options), folder)


def _options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _session(model: Path | bytes, options: Any) -> Any:
    import onnxruntime

    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise UnsupportedModelError(f"{type(error).__name__}: {str(error)[:300]}") from error


def save_optimised(model: bytes, path: Path, *, basic: bool = False) -> None:
    """Write the graph as onnxruntime executes it on this CPU, optimised.

    basic : only what keeps the standard operators (constants and batch normalisation folded), as quantising needs
        it; otherwise everything, fused kernels and blocked layouts included.
    """
    import onnxruntime

    options = _options()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_BASIC if basic else levels.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(path.with_name(path.name + ".part"))
    _session(model, options)
    path.with_name(path.name + ".part").rename(path)
