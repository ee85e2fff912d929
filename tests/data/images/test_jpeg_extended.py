"""JPEG Extended of 12 bits is read, and what is damaged costs nobody a decoder."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from cxrbench.data.images import decode, read_film
from cxrbench.data.images.jpeg_extended import decode_deep_jpeg, is_deep_jpeg
from cxrbench.data.images.pixels import Unreadable
from cxrbench.predict import Request
from cxrbench.predict.decoding import KILLED, decoded

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files" / "JPGExtended.dcm"


def test_stored_values_are_those_that_other_decoders_give():
    dataset = pydicom.dcmread(SHIPPED)
    assert is_deep_jpeg(dataset)
    stored = decode_deep_jpeg(dataset)
    assert (stored.dtype, stored.shape) == (np.uint16, (1024, 256))
    # pydicom's own tests expect these of this file.
    assert (stored[420, 140], stored[230, 120]) == (244, 95)


def test_the_film_is_shown(capfd):
    film = read_film(SHIPPED)
    assert film.pixels.shape == (1024, 256)
    assert film.pixels.std() > 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dropped", [1, 20, 3000])
def test_a_stream_that_is_cut_short_is_refused(dropped):
    content = SHIPPED.read_bytes()
    end = content.rindex(b"\xff\xd9") + 2
    cut = content[: end - dropped - 1] + bytes(dropped + 1) + content[end:]
    with pytest.raises(Unreadable, match="truncated or corrupt JPEG Extended pixels"):
        decode(cut)


@pytest.mark.parametrize(("name", "value"), [("PixelRepresentation", 1), ("BitsAllocated", 32), ("BitsStored", 16)])
def test_what_this_syntax_does_not_allow_is_refused(name, value):
    dataset = pydicom.dcmread(SHIPPED)
    setattr(dataset, name, value)
    with pytest.raises(Unreadable, match="not unsigned, of 16 bits allocated and 12 stored"):
        decode_deep_jpeg(dataset)


def test_damaged_streams_end_no_decoder(tmp_path):
    content, rng = SHIPPED.read_bytes(), np.random.default_rng(0)
    start = content.index(b"\xff\xd8\xff")
    requests = []
    for number in range(60):
        changed = bytearray(content)
        for place in rng.integers(start, start + (700 if number % 2 else len(content) - start), 4):
            changed[place] ^= int(rng.integers(1, 256))
        requests.append(Request(path=tmp_path / f"{number}.dcm"))
        requests[-1].path.write_bytes(changed)
    outcomes = [outcome for _, outcome in decoded(requests, (64,), workers=1)]
    assert len(outcomes) == 60
    assert KILLED not in outcomes
    assert any(isinstance(outcome, str) for outcome in outcomes)
