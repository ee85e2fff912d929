"""Small releases in the layout of NIH ChestX-ray14, for the tests of all rooms of the data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cxrbench.models  # noqa: F401 - torchvision can be imported after it, whatever was installed

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def release_line(image_id: str, labels: str = "No Finding", *, follow_up=0, patient="1", age="58", sex="M", view="PA"):
    """One line of the label file, as the release writes it."""
    return f"{image_id},{labels},{follow_up},{patient},{age},{sex},{view},2500,2048,0.168,0.168"


def film(seed: int, shape: tuple[int, ...] = (40, 40)) -> np.ndarray:
    """A smooth grey picture that differs by seed."""
    rng = np.random.default_rng(seed)
    height, width = shape
    y, x = np.mgrid[:height, :width] / max(shape)
    waves = sum(rng.random() * np.sin(2 * np.pi * (rng.random() * 3 * x + rng.random() * 3 * y)) for _ in range(4))
    waves = waves - waves.min()
    return (255 * waves / waves.max()).astype(np.uint8)


@pytest.fixture(scope="session")
def line() -> Callable[..., str]:
    """``release_line``."""
    return release_line


@pytest.fixture
def release(tmp_path) -> Callable[..., Path]:
    """Write a release of ``images`` films of two per patient; returns its folder."""

    def write(images: int = 6, *, name: str = "release", shape: tuple[int, int] = (40, 40)) -> Path:
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        ids = [f"{i // 2 + 1:08}_{i % 2:03}.png" for i in range(images)]
        for seed, image_id in enumerate(ids):
            Image.fromarray(film(seed, shape)).save(folder / "images" / image_id)
        lines = [release_line(each, patient=str(int(each[:8])), follow_up=int(each[9:12])) for each in ids]
        (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *lines]) + "\n")
        return folder

    return write


@pytest.fixture
def label_file(tmp_path) -> Callable[..., Path]:
    """Write a label file of the given lines under the release's header; returns its path."""

    def write(*lines: str, header: str = HEADER) -> Path:
        path = tmp_path / "Data_Entry_2017_v2020.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write
