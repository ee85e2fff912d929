"""Where a batch's films come from: warped by OpenCV here, or by the training device from pixels that lie there.

Both ways sample bilinearly by the same affine maps, black outside. OpenCV places its samples in steps of 1/32 pixel
and rounds to whole grey values, the device does neither: on films they differ by about one grey value of 255.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cxrbench.data.augment import warp

T = TypeVar("T")

STORE_SHARE = 0.5
"""Of the free device memory that the store may take; the rest is the network's."""
CHUNK = 1024
"""Images sent to the device at a time."""


class Films(Protocol):
    """Makes the network's input of rows of the store, in two steps."""

    def fetch(self, rows: np.ndarray, affines: np.ndarray, *, size: int) -> Tensor:
        """What a thread in the background does while the batch before is worked on."""
        ...

    def finish(self, fetched: Tensor, affines: np.ndarray, *, size: int) -> Tensor:
        """What the training's own thread does; on a GPU it only tells the device what to do."""
        ...


@dataclass(frozen=True)
class HostFilms:
    """Films (B, 1, size, size), warped by OpenCV from the memory-mapped store: fastest where the CPU trains."""

    pixels: np.ndarray

    def fetch(self, rows: np.ndarray, affines: np.ndarray, *, size: int) -> Tensor:
        """Read and warp."""
        return torch.from_numpy(warp(self.pixels, affines, size=size, rows=rows))

    def finish(self, fetched: Tensor, affines: np.ndarray, *, size: int) -> Tensor:
        """Nothing is left to do."""
        del affines, size
        return fetched


@dataclass(frozen=True)
class UploadedFilms:
    """Films warped by the device, from a store too large for it: the chosen images are sent batch by batch."""

    pixels: np.ndarray
    device: torch.device

    def fetch(self, rows: np.ndarray, affines: np.ndarray, *, size: int) -> Tensor:
        """Read into memory that the device can fetch from by itself."""
        del affines, size
        return _pinned(torch.from_numpy(read_rows(self.pixels, rows)), self.device)

    def finish(self, fetched: Tensor, affines: np.ndarray, *, size: int) -> Tensor:
        """Send and warp."""
        return sample(fetched.to(self.device, non_blocking=True), send(affines, self.device), size=size)


@dataclass(frozen=True)
class ResidentFilms:
    """Films warped by the device, from a store that lies there whole."""

    pixels: Tensor

    def fetch(self, rows: np.ndarray, affines: np.ndarray, *, size: int) -> Tensor:
        """Which rows."""
        del affines, size
        return _pinned(torch.from_numpy(rows), self.pixels.device)

    def finish(self, fetched: Tensor, affines: np.ndarray, *, size: int) -> Tensor:
        """Choose and warp."""
        device = self.pixels.device
        chosen = self.pixels.index_select(0, fetched.to(device, non_blocking=True))
        return sample(chosen, send(affines, device), size=size)


@dataclass(frozen=True)
class CachedFeatures:
    """What a frozen backbone gave for each row of the store, (B, C) or (B, C, h, w), in place of films."""

    features: np.ndarray
    device: torch.device

    def fetch(self, rows: np.ndarray, affines: np.ndarray, *, size: int) -> Tensor:
        """Read."""
        del affines, size
        return _pinned(torch.from_numpy(read_rows(self.features, rows)), self.device)

    def finish(self, fetched: Tensor, affines: np.ndarray, *, size: int) -> Tensor:
        """Send."""
        del affines, size
        return fetched.to(self.device, non_blocking=True)


def choose_films(pixels: np.ndarray, device: torch.device, *, share: float = 1.0) -> Films:
    """The fastest way on this device.

    Args:
        pixels: (N, S, S) uint8, memory-mapped.
        device: Where the network is.
        share: Of the device's memory that this process may take.
    """
    if device.type == "cpu":
        return HostFilms(pixels)
    # What earlier runs in this process held counts as free, though PyTorch has not given it back.
    gc.collect()
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    fits = pixels.nbytes <= STORE_SHARE * min(free, share * total)
    return ResidentFilms(load_store(pixels, device)) if fits else UploadedFilms(pixels, device)


def load_store(pixels: np.ndarray, device: torch.device) -> Tensor:
    """The store on the device; the host holds a chunk of it at a time."""
    loaded = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), CHUNK):
        chunk = np.array(pixels[start : start + CHUNK])
        loaded[start : start + CHUNK].copy_(torch.from_numpy(chunk))
    return loaded


def read_rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a memory-mapped array; the disk is read forwards."""
    order = np.argsort(rows)
    read = np.empty((len(rows), *array.shape[1:]), array.dtype)
    read[order] = array[rows[order]]
    return read


def send(values: np.ndarray, device: torch.device) -> Tensor:
    """A small array on the device, without waiting for what the device is doing."""
    return _pinned(torch.from_numpy(values), device).to(device, non_blocking=True)


def _pinned(values: Tensor, device: torch.device) -> Tensor:
    return values.pin_memory() if device.type == "cuda" else values


def ahead(tasks: Iterable[Callable[[], T]], *, workers: int = 2) -> Iterator[T]:
    """What the tasks give, in order, made in the background while earlier results are worked on."""
    coming: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as background:
        for task in tasks:
            coming.append(background.submit(task))
            if len(coming) > workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def sample(images: Tensor, affines: Tensor, *, size: int) -> Tensor:
    """Sample images bilinearly on their device, all at once; what lies outside is black.

    Args:
        images: (B, S, S) uint8.
        affines: (B, 2, 3) or (1, 2, 3) maps from output to source pixels.
        size: Side of the output, pixels.

    Returns:
        (B, 1, size, size) float32, grey values in 0..1.
    """
    count, source = images.shape[:2]
    linear, offset = affines[:, :, :2], affines[:, :, 2:]
    # From pixels to the range -1..1 that PyTorch counts in, edge to edge, in both images.
    centre = (linear.sum(dim=2, keepdim=True) * (size - 1) + 2 * offset + 1) / source - 1
    maps = torch.cat([linear * (size / source), centre], dim=2).float().expand(count, -1, -1)
    grid = functional.affine_grid(maps, [count, 1, size, size], align_corners=False)
    films = images[:, None].float() / 255
    return functional.grid_sample(films, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
