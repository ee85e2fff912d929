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
EDGE_COLOUR = (200, 200, 200)
EDGE_TEXT = "dashed: edge of what the network saw"
LETTERS = 0.032
"""Height of the letters, as a share of the picture's width."""
LINE = 1.25
"""From line to line of text, in letters."""
GAP = 8
"""Between pictures of a sheet, pixels."""

Picture = NDArray[np.uint8]
Rectangle = tuple[float, float, float, float]
"""``x, y, width, height`` in pixels of a film, from its upper left corner."""
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Captioned:
    """What is written above a film and drawn on it.

    Attributes:
        text: One line.
        boxes: (K, 4) ``x, y, width, height`` in pixels of the film; may be empty.
        seen: What the network saw of the film; its edge is drawn where it lies on the film.
    """

    text: str
    boxes: NDArray[np.float64]
    seen: Rectangle | None = None


def said(finding: str, probability: float, *, is_calibrated: bool) -> str:
    """A finding and its probability in two decimals, never rounded to certainty; an output that is none says so."""
    shown = "<0.01" if probability < 0.01 else ">0.99" if probability > 0.99 else f"{probability:.2f}"
    return f"{finding} {shown}" if is_calibrated else f"{finding} {shown} (not calibrated)"


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
    return _captioned(picture, _scaled(caption, scale))


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
    with atomic_file(path, is_durable=False) as scratch:
        Image.fromarray(picture).save(scratch, format="PNG", compress_level=4)


def _scaled(caption: Captioned, scale: float) -> Captioned:
    """The caption of a picture that is so much larger than its film."""
    boxes = np.asarray(caption.boxes, np.float64).reshape(-1, 4) * scale
    if caption.seen is None:
        return Captioned(caption.text, boxes)
    x, y, width, height = caption.seen
    return Captioned(caption.text, boxes, (x * scale, y * scale, width * scale, height * scale))


def _captioned(picture: Picture, caption: Captioned) -> Picture:
    """The picture with its boxes, under a black bar with its text."""
    letters = max(11, round(LETTERS * picture.shape[1]))
    font = ImageFont.load_default(letters)
    lines = _lines(caption.text, font, picture.shape[1] - letters)
    bar = np.zeros((round((0.75 + LINE * len(lines)) * letters), *picture.shape[1:]), np.uint8)
    edged = picture if caption.seen is None else _edged(picture, caption.seen, letters)
    image = Image.fromarray(np.concatenate([bar, edged]))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((letters / 2, (1 + LINE * number) * letters), line, font=font, fill=(255, 255, 255), anchor="lm")
    for x, y, width, height in caption.boxes:
        corner = (x, y + len(bar), x + width, y + height + len(bar))
        draw.rectangle(corner, outline=BOX_COLOUR, width=max(2, letters // 6))
    return np.asarray(image, np.uint8)


def _lines(text: str, font: Font, room: int) -> list[str]:
    """A text in lines that fit into so many pixels, broken between words."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line] or [""]


def _edged(picture: Picture, seen: Rectangle, letters: int) -> Picture:
    """The picture with a dashed line around what the network saw, and words for it; as it is where all was seen."""
    (height, width), (x, y, across, down) = picture.shape[:2], seen
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + across)), min(height, round(y + down))
    if (left, top, right, bottom) == (0, 0, width, height):
        return picture
    edged, dash = picture.copy(), max(2, letters // 3)
    columns, rows = (
        np.arange(*ends)[np.arange(ends[1] - ends[0]) // dash % 2 == 0] for ends in ((left, right), (top, bottom))
    )
    for row in {top, bottom - 1} - {0, height - 1}:
        edged[row, columns] = EDGE_COLOUR
    for column in {left, right - 1} - {0, width - 1}:
        edged[rows, column] = EDGE_COLOUR
    return _labelled(edged, (left, bottom), letters=round(0.7 * letters), room=right - left)


def _labelled(picture: Picture, corner: tuple[int, int], *, letters: int, room: int) -> Picture:
    """Words for the dashed line in its lower left corner, where there is room for them."""
    font = ImageFont.load_default(letters)
    if font.getlength(EDGE_TEXT) > room - letters:
        return picture
    image = Image.fromarray(picture)
    place = (corner[0] + letters / 2, corner[1] - letters / 2)
    ImageDraw.Draw(image).text(
        place, EDGE_TEXT, font=font, fill=EDGE_COLOUR, anchor="ld", stroke_width=1, stroke_fill=(0, 0, 0)
    )
    return np.asarray(image, np.uint8)
