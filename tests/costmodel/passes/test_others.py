"""TVM's and Triton's interfaces alone; LLVM's inliner with a real `opt`."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.passes.inliner import by_cycles, by_size, optimise, predicted_growth_bytes
from costmodel.passes.meta_schedule import ScheduleCostModel
from costmodel.passes.triton import GpuTiles, parameters, prune_configs_by


@dataclass
class Config:
    """What Triton hands around."""

    kwargs: dict[str, int]
    num_warps: int = 4
    num_stages: int = 3


@dataclass
class Result:
    run_secs: list[float] | None
    error_msg: str | None = None


@dataclass
class Context:
    task_name: str = "matmul"


@dataclass
class Candidate:
    stores: np.ndarray = field(default_factory=lambda: np.ones((2, 3), dtype=np.float32))


GPU = GpuTiles(units=100, flops_per_us=1e8, bytes_per_us=2e6, shared_bytes=100_000)
CONFIGS = [
    Config({"BLOCK_M": m, "BLOCK_N": n, "BLOCK_K": k}, num_stages=s)
    for m in (16, 64, 128) for n in (16, 64, 128) for k in (32, 128) for s in (2, 4)
]  # fmt: skip
SIZES = {"M": 2048, "N": 2048, "K": 2048}


def as_triton_would(pruner: dict[str, Any]) -> list[Config]:
    """Triton's Autotuner.prune_configs in short."""
    configs = pruner["early_config_prune"](CONFIGS, SIZES)
    times = {id(c): pruner["perf_model"](**SIZES, **c.kwargs, num_warps=4, num_stages=c.num_stages) for c in configs}
    return sorted(configs, key=lambda c: times[id(c)])[: pruner["top_k"]]


def test_triton_keeps_the_configurations_that_fit_and_are_predicted_fast() -> None:
    kept = as_triton_would(prune_configs_by(GPU.matmul_time_us, top_k=5, fits=GPU.matmul_fits))
    assert len(kept) == 5
    assert all(GPU.matmul_fits(parameters(config)) for config in kept)
    assert all(config.kwargs["BLOCK_M"] * config.kwargs["BLOCK_N"] > 16 * 16 for config in kept)
    slow = {**SIZES, "BLOCK_M": 16, "BLOCK_N": 16, "BLOCK_K": 32, "num_warps": 4, "num_stages": 2}
    fast = {**SIZES, **parameters(kept[0])}
    assert GPU.matmul_time_us(slow) > 2 * GPU.matmul_time_us(fast)


def test_triton_is_left_with_something_where_nothing_fits() -> None:
    pruner = prune_configs_by(GPU.matmul_time_us, fits=lambda _: False)
    assert pruner["early_config_prune"](CONFIGS, SIZES) == CONFIGS
    small = GpuTiles(units=1, flops_per_us=1.0, bytes_per_us=1.0, shared_bytes=1)
    assert small.matmul_time_us({**SIZES, **parameters(CONFIGS[0])}) == math.inf


def schedules(count: int, seed: int) -> tuple[list[Candidate], list[Result]]:
    """Candidates whose time is a function of the first column of their stores."""
    rng = np.random.default_rng(seed)
    stores = [rng.uniform(1, 10, (int(rng.integers(1, 4)), 3)).astype(np.float32) for _ in range(count)]
    times = [Result([1e-3 * float(s[:, 0].sum())] * 3) for s in stores]
    return [Candidate(s) for s in stores], times


def test_meta_schedule_learns_from_measurements_and_survives_a_reload(tmp_path: Path) -> None:
    model = ScheduleCostModel(lambda _, candidates: [c.stores for c in candidates], rounds=60)
    candidates, results = schedules(120, seed=0)
    assert model.predict(Context(), candidates).tolist() == [1.0] * 120
    model.update(Context(), candidates, results)
    model.update(Context(), candidates[:2], [Result(None), Result([1.0], "it crashed")])
    others, truth = schedules(60, seed=1)
    scores = model.predict(Context(), others)
    assert scores.shape == (60,)
    assert scores.max() == 1.0
    assert (scores > 0).all()
    seconds = np.array([result.run_secs[0] for result in truth])  # type: ignore[index]
    assert seconds[np.argsort(-scores)[:6]].mean() < 0.5 * seconds.mean()
    model.save(str(tmp_path / "state"))
    again = ScheduleCostModel(model.extractor, rounds=60)
    again.load(str(tmp_path / "state"))
    assert np.array_equal(again.predict(Context(), others), scores)
    assert len(model.predict(Context(), [])) == 0


needs_opt = pytest.mark.skipif(shutil.which("opt-22") is None, reason="needs Debian's llvm-22")
CALLS = "\n".join(f"  %{i} = call i32 @ext(i32 {i})" for i in range(1, 20))
PROGRAM = f"""
target triple = "x86_64-unknown-linux-gnu"
define i32 @small(i32 %x) {{
  %y = add i32 %x, 1
  ret i32 %y
}}
define i32 @big(i32 %x) {{
{CALLS}
  %z = add i32 %19, %x
  ret i32 %z
}}
declare i32 @ext(i32)
define i32 @main(i32 %x) {{
  %a = call i32 @small(i32 %x)
  %b = call i32 @big(i32 %a)
  %c = call i32 @big(i32 %b)
  %d = call i32 @big(i32 %c)
  ret i32 %d
}}
"""


def text_bytes(ir: Path) -> int:
    assembly = subprocess.run(["llc-22", "-O2", "-filetype=obj", str(ir), "-o", "-"], capture_output=True, check=True)
    sizes = subprocess.run(["llvm-size-22", "-"], input=assembly.stdout, capture_output=True, check=True)
    return int(sizes.stdout.decode().splitlines()[1].split()[0])


@needs_opt
def test_the_inliner_does_what_it_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program.ll"
    program.write_text(PROGRAM)
    sizes, calls = {}, {}
    for name, policy in (("all", lambda _: True), ("none", lambda _: False), ("size", by_size())):
        out = tmp_path / f"{name}.ll"
        advice = optimise(program, out, policy)
        assert len(advice.decisions) >= 2
        main = out.read_text().split("@main(")[1].split("\n}")[0]
        calls[name] = set(re.findall(r"call i32 @(small|big)\(", main))
        sizes[name] = text_bytes(out)
    assert calls["none"] == {"small", "big"}
    assert calls["size"] == {"big"}
    assert "small" not in calls["all"]
    assert sizes["size"] < min(sizes["all"], sizes["none"])


@needs_opt
def test_a_failure_of_opt_is_told_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "bad.ll").write_text("define i32 @f( {")
    with pytest.raises(RuntimeError, match="opt failed: .*bad.ll"):
        optimise(tmp_path / "bad.ll", tmp_path / "out.ll", by_size())
    with pytest.raises(RuntimeError, match="'opt-0' is not installed"):
        optimise(tmp_path / "bad.ll", tmp_path / "out.ll", by_size(), opt="opt-0")


def test_policies_weigh_growth_against_calls() -> None:
    small = {"cost_estimate": 10, "constant_args": 0, "num_loops": 0}
    loops = {"cost_estimate": 40, "constant_args": 0, "num_loops": 2}
    last = {"cost_estimate": 400, "last_call_to_static_bonus": 1}
    assert not by_size()(small)
    assert by_size(budget_bytes=10)(small)
    assert by_size()(last)
    assert predicted_growth_bytes(last) < 0
    assert by_cycles()(small)
    assert not by_cycles()(loops)
