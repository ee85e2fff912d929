"""Ten kinds of files that are no films, and what ``predict`` says of each."""

import io
from pathlib import Path

from PIL import Image
from pydicom.uid import JPEG2000Lossless

from mutated_films import SIDE, film, radiograph, repaired, written

REFUSALS = {
    "empty.dcm": "the file is empty",
    "text.png": 'not a PNG, JPEG, TIFF or DICOM image: it starts with "dear colleague, "',
    "cut.png": "truncated PNG: it breaks off",
    "checksum.png": "corrupt PNG: the checksum of its IDAT chunk is wrong",
    "huge.png": "30000 x 30000 pixels are too many",
    "cut.jpg": "truncated or corrupt JPEG",
    "cut.dcm": "truncated or unreadable DICOM",
    "document.dcm": "a DICOM file without pixel data",
    "frames.dcm": "2 frames; a radiograph has one",
    "liar.dcm": f"the header says 4096 x 4096 pixels, the compressed image {SIDE} x {SIDE}",
}
"""File name -> how its refusal begins."""


def write_broken_films(folder: Path) -> None:
    """Write one file of each kind into an existing folder."""
    png, jpeg = (_encoded(kind) for kind in ("PNG", "JPEG"))
    contents = {
        "empty.dcm": b"",
        "text.png": b"dear colleague, the film is attached",
        "cut.png": png[: len(png) // 2],
        "checksum.png": png[:200] + bytes([png[200] ^ 1]) + png[201:],
        "huge.png": repaired(png[:16] + 2 * (30_000).to_bytes(4) + png[24:]),
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.dcm": written(radiograph())[:-1000],
        **_odd_dicom(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _odd_dicom() -> dict[str, bytes]:
    document, frames, liar = radiograph(), radiograph(), radiograph()
    del document.PixelData
    frames.NumberOfFrames, frames.PixelData = 2, frames.PixelData * 2
    liar.compress(JPEG2000Lossless, generate_instance_uid=False)
    liar.Rows = liar.Columns = 4096
    return {"document.dcm": written(document), "frames.dcm": written(frames), "liar.dcm": written(liar)}


def _encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(film()).save(stream, kind)
    return stream.getvalue()
