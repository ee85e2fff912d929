"""A film with its heat map, box, and what they mean written on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cxrbench.files import atomic_file

COLOURS = "inferno"
"""Perceptually uniform, and dark where there is little to see."""
OPACITY = 0.6
"""Of the map at its maximum; it falls with the map, so that what is cold stays the plain film."""
BOX_COLOUR = (64, 224, 208)
LETTERS = 0.032
"""Height of the letters, as a share of the picture's width."""
GAP = 8
"""Between pictures of a sheet, pixels."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Captioned:
    """What is written above a film and drawn on it.

    Attributes:
        text: One line.
        boxes: (K, 4) ``x, y, width, height`` in pixels of the film; may be empty.
    """

    text: str
    boxes: NDArray[np.float64]


def said(finding: str, probability: float) -> str:
    """A finding and its probability in two decimals, never rounded to certainty."""
    shown = "<0.01" if probability < 0.01 else ">0.99" if probability > 0.99 else f"{probability:.2f}"
    return f"{finding} {shown}"


def normalised(heat: NDArray[np.floating]) -> NDArray[np.floating]:
    """A map (H, W) in 0..1 for the eye: what is negative or unknown is 0, the map's own maximum 1.

    So colours of two pictures do not compare: the probability beside them says how much there is to explain.
    """
    evidence = np.maximum(np.nan_to_num(heat, nan=0.0), 0)
    top = evidence.max()
    return np.asarray(evidence / top if top > 0 else evidence)


def overlay(film: Picture, heat: NDArray[np.floating], caption: Captioned, *, width: int | None = None) -> Picture:
    """Picture (h, w, 3) of a film (H, W) under its map (H, W), with caption and boxes.

    Args:
        film: Grey values.
        heat: Raw map in the film's pixels.
        caption: Text and boxes.
        width: Of the picture, pixels; default: the film's.
    """
    scale = (width or film.shape[1]) / film.shape[1]
    size = (max(1, round(film.shape[1] * scale)), max(1, round(film.shape[0] * scale)))
    grey = cv2.resize(film, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    share = cv2.resize(normalised(heat).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    colours = mpl.colormaps[COLOURS](share)[..., :3]
    opacity = OPACITY * share[..., None]
    blended = (1 - opacity) * grey[..., None] + opacity * colours
    picture = np.asarray(np.round(blended * 255), np.uint8)
    return _captioned(picture, Captioned(caption.text, np.asarray(caption.boxes, np.float64).reshape(-1, 4) * scale))


def contact_sheet(pictures: Sequence[Picture], *, columns: int) -> Picture:
    """Pictures in rows of ``columns``, each in a cell as large as the largest.

    Raises:
        ValueError: No picture.
    """
    if not pictures:
        raise ValueError("a contact sheet needs a picture")
    height, width = (max(picture.shape[axis] for picture in pictures) + GAP for axis in (0, 1))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * height + GAP, min(columns, len(pictures)) * width + GAP, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = GAP + place // columns * height, GAP + place % columns * width
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG."""
    with atomic_file(path) as scratch:
        Image.fromarray(picture).save(scratch, format="PNG", compress_level=4)


def _captioned(picture: Picture, caption: Captioned) -> Picture:
    """The picture with its boxes, under a black bar with its text."""
    letters = max(11, round(LETTERS * picture.shape[1]))
    font = ImageFont.load_default(letters)
    bar = np.zeros((2 * letters, *picture.shape[1:]), np.uint8)
    image = Image.fromarray(np.concatenate([bar, picture]))
    draw = ImageDraw.Draw(image)
    draw.text((letters / 2, letters), caption.text, font=font, fill=(255, 255, 255), anchor="lm")
    for x, y, width, height in caption.boxes:
        corner = (x, y + len(bar), x + width, y + height + len(bar))
        draw.rectangle(corner, outline=BOX_COLOUR, width=max(2, letters // 6))
    return np.asarray(image, np.uint8)
