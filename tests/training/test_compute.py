"""What `auto` is resolved to, and what a machine refuses."""

import platform
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxrbench.config import ComputeSettings, load_approach, load_profile, norm_batch
from cxrbench.errors import TrainingError
from cxrbench.training import compute
from cxrbench.training.compute import BF16_FLAGS, GpuSeat, gpu_seats, processor_flags, resolve

FULL = load_approach("ft")
SMALL = load_profile("small").apply(FULL)
NEEDS_CPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU; this is about a machine without one")


def pretend(monkeypatch, *, flags=(), gpus=0):
    monkeypatch.setattr(compute, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


@pytest.mark.parametrize("flag", sorted(BF16_FLAGS))
def test_a_cpu_trains_in_bf16_only_with_its_instructions_and_networks_large_enough(monkeypatch, flag):
    pretend(monkeypatch, flags=("avx2", flag))
    assert resolve(ComputeSettings(), FULL).precision == "bf16"
    assert resolve(ComputeSettings(), SMALL).precision == "fp32"
    assert resolve(ComputeSettings(precision="fp32"), FULL).precision == "fp32"
    assert resolve(ComputeSettings(precision="bf16"), SMALL).precision == "bf16"
    pretend(monkeypatch, flags=("avx2",))
    assert resolve(ComputeSettings(), FULL).precision == "fp32"
    with pytest.raises(TrainingError, match="precision: bf16, but this processor has no instructions"):
        resolve(ComputeSettings(precision="bf16"), FULL)


def test_a_gpu_trains_in_bf16_and_small_batches_as_cuda_graphs_when_asked_to(monkeypatch):
    pretend(monkeypatch, gpus=2)
    found = resolve(ComputeSettings(), FULL)
    assert (found.device, found.precision, found.compile, found.channels_last, found.keeps_memory) == (
        "cuda",
        "bf16",
        None,
        True,
        False,
    )
    assert resolve(ComputeSettings(compile="on"), FULL).compile == "reduce-overhead"
    assert resolve(ComputeSettings(compile="on", device_batch=8), FULL).compile == "default"
    assert resolve(ComputeSettings(compile="on", devices=2), FULL).compile == "default"


def test_a_cpu_compiles_only_when_asked_to(monkeypatch):
    pretend(monkeypatch)
    assert resolve(ComputeSettings(), FULL).compile is None
    assert resolve(ComputeSettings(compile="on"), FULL).compile == "default"


def test_devices_that_are_not_there_are_refused(monkeypatch):
    pretend(monkeypatch, gpus=2)
    with pytest.raises(TrainingError, match="devices: 3, but this machine has 2 GPUs"):
        resolve(ComputeSettings(devices=3), FULL)
    pretend(monkeypatch)
    with pytest.raises(TrainingError, match="devices: 2, but there is no GPU"):
        resolve(ComputeSettings(devices=2), FULL)
    assert resolve(ComputeSettings(devices=2), load_approach("ots")).devices == 2


def test_the_effective_batch_is_the_approachs_and_batch_norm_says_where_it_is_not():
    assert FULL.recipe.batch_size == 16
    assert ComputeSettings(device_batch=4).accumulate(16) == 4
    assert ComputeSettings(device_batch=4, devices=2).accumulate(16) == 2
    assert ComputeSettings(device_batch=5).accumulate(16) == 4
    assert ComputeSettings(device_batch=64).accumulate(16) == 1
    assert norm_batch(ComputeSettings(device_batch=4), FULL) == 4
    assert norm_batch(ComputeSettings(device_batch=4, devices=2), FULL) == 8
    assert norm_batch(ComputeSettings(), FULL) is None
    assert norm_batch(ComputeSettings(device_batch=4), load_approach("ots")) is None


def test_flags_are_read_from_the_systems_description(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512_bf16\n\nflags\t\t: fpu\n")
    assert processor_flags(path) == {"fpu", "avx2", "avx512_bf16"}
    path.write_text("Features\t: fp asimd bf16\n")
    assert processor_flags(path) == {"fp", "asimd", "bf16"}
    assert processor_flags(tmp_path / "absent") == frozenset()


def test_runs_at_a_time_are_spread_over_the_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    pretend(monkeypatch, gpus=2)
    assert gpu_seats(3) == [GpuSeat("0", 0.5), GpuSeat("1", 0.5), GpuSeat("0", 0.5)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert gpu_seats(2) == [GpuSeat("5", 1.0), GpuSeat("7", 1.0)]
    pretend(monkeypatch)
    assert gpu_seats(2) == [GpuSeat(None, 1.0)] * 2


def test_without_a_gpu_its_benchmark_says_so_and_fails(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    script = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.syspath_prepend(script.parent)
    with pytest.raises(SystemExit, match=r"^no GPU is at hand"):
        runpy.run_path(str(script), run_name="__main__")


FAULTS = """
import resource, torch
from cxrbench.environment import keep_memory_mapped

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(6):
        torch.ones(2**26, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

handed_back = faults()
assert keep_memory_mapped()
print(handed_back, min(faults() for _ in range(6)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose allocator is set")
def test_freed_memory_stays_mapped():
    ran = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    handed_back, kept = map(int, ran.stdout.split())
    # 64 MiB are 16,384 pages, mapped each of six times, or not again once the heap has grown to hold them.
    assert kept < handed_back / 3
