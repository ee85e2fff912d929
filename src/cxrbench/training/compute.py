"""What a run's arithmetic is done with: ``auto`` settings -> what this machine does best, decided once per run.

The rules rest on measurements (docs/speed.md). Nothing here changes what a run learns beyond noise; where the training
is done in bfloat16, weights, batch-norm statistics, losses and the optimiser stay in float32, and so do predictions.
"""

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch

from cxrbench.config import PAPER_WIDTH, Approach, ComputeSettings, ResNet
from cxrbench.errors import TrainingError

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Processor flags (x86, Arm) of instructions for bfloat16; without them it is emulated, and gains nothing."""
GRAPH_BATCH = 64
"""Up to this many images a GPU waits for the launch of each kernel; CUDA graphs launch a step at once."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Resolved settings: no ``auto``; recorded with the run.

    Attributes:
        device: Where the network is trained.
        precision: Of the forward and backward pass.
        compile: Mode of ``torch.compile``; None: not compiled.
        channels_last: Whether channels lie beside each other in memory.
        devices: GPUs that share each batch.
        accumulate: Parts that a batch is worked through in.
        keeps_memory: Whether the allocator keeps what was freed mapped, instead of handing it back in each step.
        gpu_share: Share of a GPU's memory that the run may take.
    """

    device: Literal["cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    compile: str | None
    channels_last: bool
    devices: int
    accumulate: int
    keeps_memory: bool
    gpu_share: float

    @property
    def shares(self) -> int:
        """Parts that a batch falls into: on several devices, one after the other, or both."""
        return self.devices * self.accumulate

    @property
    def memory_format(self) -> torch.memory_format:
        """PyTorch's name of the order in memory."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def device_of(self, rank: int) -> torch.device:
        """Where process ``rank`` of those that share a batch trains."""
        return torch.device("cuda", rank) if self.device == "cuda" else torch.device("cpu")

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of a forward pass: in bfloat16, what gains by it."""
        if self.precision == "fp32":
            return nullcontext()
        # A pass takes each weight once, so there is nothing to gain from a cache of converted ones.
        return torch.autocast(self.device, dtype=torch.bfloat16, cache_enabled=False)

    def record(self) -> dict[str, Any]:
        """All fields as a JSON value."""
        return asdict(self)


def resolve(settings: ComputeSettings, approach: Approach) -> Compute:
    """What this machine does best, where the settings leave it open.

    Raises:
        TrainingError: The machine cannot do what the settings ask for.
    """
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    _check_devices(settings, device, approach)
    return Compute(
        device=device,
        precision=_precision(settings, device, approach),
        compile=_compile_mode(settings, device, approach),
        channels_last=settings.channels_last != "off",
        devices=settings.devices,
        accumulate=settings.accumulate(approach.recipe.batch_size),
        keeps_memory=device == "cpu" and platform.libc_ver()[0] == "glibc",
        gpu_share=settings.gpu_share,
    )


def _check_devices(settings: ComputeSettings, device: str, approach: Approach) -> None:
    """Refuse devices that are not there, or that would each have a batch norm of their own."""
    if settings.devices == 1:
        return
    if device == "cpu" and not approach.has_frozen_backbone:
        raise TrainingError(
            f"devices: {settings.devices}, but there is no GPU, and on a CPU PyTorch cannot take batch norm over "
            "several processes; leave devices at 1: one process uses all cores"
        )
    if device == "cuda" and settings.devices > torch.cuda.device_count():
        raise TrainingError(f"devices: {settings.devices}, but this machine has {torch.cuda.device_count()} GPUs")


def _precision(settings: ComputeSettings, device: str, approach: Approach) -> Literal["fp32", "bf16"]:
    """bfloat16 where there are instructions for it and the network is large enough to gain."""
    if settings.precision == "fp32":
        return "fp32"
    is_able = has_bf16(device)
    if settings.precision == "bf16":
        if not is_able:
            what = "processor" if device == "cpu" else "GPU"
            raise TrainingError(
                f"precision: bf16, but this {what} has no instructions for it, and could only emulate it; "
                "set precision: auto or fp32"
            )
        return "bf16"
    own = approach.network.backbone.settings
    is_narrow = isinstance(own, ResNet) and own.width < PAPER_WIDTH
    return "bf16" if is_able and not is_narrow else "fp32"


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(BF16_FLAGS & processor_flags())


def processor_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instruction sets that the system names; none where it does not tell."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(named, ()))


def _compile_mode(settings: ComputeSettings, device: str, approach: Approach) -> str | None:
    """``torch.compile`` when asked for: on a CPU it takes longer than it saves, and no GPU has been measured yet."""
    if settings.compile != "on":
        return None
    shares = settings.devices * settings.accumulate(approach.recipe.batch_size)
    # CUDA graphs own the memory of the gradients, which adding up and sending around would touch.
    is_launch_bound = device == "cuda" and shares == 1 and approach.recipe.batch_size <= GRAPH_BATCH
    return "reduce-overhead" if is_launch_bound else "default"


@dataclass(frozen=True)
class GpuSeat:
    """Where one of several runs at a time trains.

    Attributes:
        gpu: Name of its GPU as CUDA_VISIBLE_DEVICES has it; None: there is none.
        share: Of that GPU's memory.
    """

    gpu: str | None
    share: float


def gpu_seats(runs: int) -> list[GpuSeat]:
    """A seat for each of the runs at a time: spread over the GPUs, those on the same one with equal shares."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return [GpuSeat(None, 1.0)] * runs
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    names = named[:count] if len(named) >= count and all(named) else [str(number) for number in range(count)]
    return [GpuSeat(names[run % count], 1 / ceil(runs / count)) for run in range(runs)]
