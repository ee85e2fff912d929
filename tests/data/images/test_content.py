"""Files are read by their content, and only where reading them comes to an end."""

import io
import os
import re
import socket

import numpy as np
import pytest
from PIL import Image

from cxrbench.data.images import content as contents
from cxrbench.data.images import read_grey
from cxrbench.data.images.content import is_image, read_content
from cxrbench.data.images.pixels import Unreadable
from cxrbench.errors import DataError

GREY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)


def encoded(picture, kind):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"Finding Labels,No Finding\n", 'not a PNG, JPEG, TIFF or DICOM image: it starts with "Finding Labels,N"'),
        (encoded(GREY, "bmp"), "not a PNG, JPEG, TIFF or DICOM image"),
        (b"<!DOCTYPE html>", "not a PNG, JPEG, TIFF or DICOM image"),
    ],
    ids=["empty", "text", "BMP", "HTML"],
)
def test_errors_name_the_file_and_the_reason_whatever_the_name_says(tmp_path, content, reason):
    path = tmp_path / "film.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: {reason}")):
        read_grey(path)


def test_a_jpeg_named_png_is_read(tmp_path):
    path = tmp_path / "film.png"
    path.write_bytes(encoded(GREY, "jpeg"))
    assert read_grey(path).shape == (24, 32)


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"absent\.png: No such file or directory"):
        read_grey(tmp_path / "absent.png")


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "film.png")
    return tmp_path / "film.png"


def test_a_pipe_is_not_waited_for(pipe):
    with pytest.raises(Unreadable, match=r"^a named pipe, not a regular file$"):
        read_content(pipe)
    assert not is_image(pipe)


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(pipe, monkeypatch):
    """Between the look and the opening."""
    seen = contents._check_kind
    looks = []
    monkeypatch.setattr(contents, "_check_kind", lambda mode: looks.append(mode) if not looks else seen(mode))
    with pytest.raises(Unreadable, match="a named pipe, not a regular file"):
        read_content(pipe)


def test_neither_is_a_device_or_a_socket_read(tmp_path, monkeypatch):
    with pytest.raises(Unreadable, match="a device, not a regular file"):
        read_content(contents.Path("/dev/zero"))
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("film.png")
        with pytest.raises(Unreadable, match="a socket, not a regular file"):
            read_content(tmp_path / "film.png")


def test_a_link_counts_as_what_it_leads_to(tmp_path, pipe):
    Image.fromarray(GREY).save(tmp_path / "there.png")
    (tmp_path / "link").symlink_to("there.png")
    (tmp_path / "trap").symlink_to(pipe)
    assert np.array_equal(read_grey(tmp_path / "link"), GREY)
    with pytest.raises(Unreadable, match="a named pipe"):
        read_content(tmp_path / "trap")


def test_a_file_larger_than_any_radiograph_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MAX_BYTES", 1000)
    (tmp_path / "film").write_bytes(bytes(1001))
    with pytest.raises(Unreadable, match=r"1,001 bytes are too many for a radiograph \(at most 1,000\)"):
        read_content(tmp_path / "film")
    assert len(read_content(tmp_path / "film", most=132)) == 132


def test_folders_and_impossible_names(tmp_path):
    with pytest.raises(Unreadable, match="Is a directory"):
        read_content(tmp_path)
    with pytest.raises(Unreadable, match="no such file: its name holds a zero byte"):
        read_content(tmp_path / "a\0b")
