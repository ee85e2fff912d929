"""DICOM as a viewer shows it."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, RLELossless

from cxrbench.data.images import decode, read_grey
from cxrbench.data.images.pixels import Unreadable
from cxrbench.errors import DataError

FILM = np.random.default_rng(0).integers(100, 4000, (24, 32)).astype(np.uint16)


def dataset(pixels=FILM, *, photometric="MONOCHROME2", stored=12, signed=False, **elements):
    """A computed radiograph."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = ComputedRadiographyImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = photometric
    made.BitsAllocated = 8 * pixels.dtype.itemsize
    made.BitsStored = min(stored, made.BitsAllocated)
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(signed)
    made.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def written(made):
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def render(*args, **kwargs):
    return decode(written(dataset(*args, **kwargs)))


def linear(values, low, high):
    """An independent statement of a window."""
    return np.clip((values.astype(float) - low) / (high - low), 0, 1) * 255


def test_without_a_window_the_whole_range_is_shown():
    assert np.abs(render() - linear(FILM, FILM.min(), FILM.max())).max() <= 0.5


def test_the_window_is_applied_with_the_standards_half_pixel_shift():
    image = render(WindowCenter=2000, WindowWidth=1000)
    assert np.abs(image - linear(FILM, 2000 - 0.5 - 499.5, 2000 - 0.5 + 499.5)).max() <= 0.5
    assert (image == 0).mean() > 0.2
    assert (image == 255).mean() > 0.2


def test_an_exact_window_has_no_shift():
    image = render(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")
    assert np.abs(image - linear(FILM, 1500, 2500)).max() <= 0.5


def test_a_sigmoid_window():
    image = render(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID")
    assert np.abs(image - 255 / (1 + np.exp(-4 * (FILM - 2000.0) / 1000))).max() <= 0.5


def test_of_several_windows_the_first_counts():
    several = render(WindowCenter=[2000, 50], WindowWidth=[1000, 10])
    assert np.array_equal(several, render(WindowCenter=2000, WindowWidth=1000))


def test_rescaling_comes_before_the_window():
    image = render(RescaleSlope=2, RescaleIntercept=-1000, RescaleType="US", WindowCenter=3000, WindowWidth=2000)
    assert np.abs(image - linear(2.0 * FILM - 1000, 3000 - 0.5 - 999.5, 3000 - 0.5 + 999.5)).max() <= 0.5


def test_signed_values():
    values = FILM.astype(np.int16) - 2000
    assert np.array_equal(render(values, stored=16, signed=True), render())


def test_a_lookup_table_counts_before_the_window():
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 10]
    table.LUTData = (1023 - np.arange(4096) // 4).astype(np.uint16).tobytes()
    image = render(VOILUTSequence=[table], WindowCenter=2000, WindowWidth=1000)
    assert np.abs(image - 255 * ((1023 - FILM // 4) / 1023)).max() <= 0.5


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2000, "WindowWidth": 1000}])
def test_monochrome1_is_inverted(window):
    inverted = render(photometric="MONOCHROME1", **window)
    assert np.array_equal(inverted, 255 - render(**window))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_stretch_the_rest(photometric):
    padded = FILM.copy()
    padded[:, :8] = 4095
    image = render(padded, photometric=photometric, PixelPaddingValue=4095)
    assert not image[:, :8].any()
    assert np.array_equal(image[:, 8:], render(FILM[:, 8:].copy(), photometric=photometric))


def test_a_range_of_padding():
    padded = FILM.copy()
    padded[0, :4] = [0, 1, 2, 3]
    image = render(padded, PixelPaddingValue=0, PixelPaddingRangeLimit=3)
    assert not image[0, :4].any()
    assert np.array_equal(image[1:], (render(np.vstack([FILM[:1] * 0 + 2000, FILM[1:]])))[1:])


def test_nothing_but_padding_is_black():
    assert not render(np.full((20, 20), 7, np.uint16), PixelPaddingValue=7).any()


def test_colour_becomes_luma():
    colours = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = render(colours, photometric="RGB", stored=8)
    assert np.abs(image - colours @ np.array([0.299, 0.587, 0.114])).max() <= 0.51


def test_compressed_pixels():
    made = dataset()
    made.compress(RLELossless)
    assert np.array_equal(decode(written(made)), render())


def test_several_frames_are_no_radiograph():
    with pytest.raises(Unreadable, match="2 frames; a radiograph has one"):
        render(np.vstack([FILM, FILM]), NumberOfFrames=2, Rows=24)


def test_a_palette_is_no_radiograph():
    with pytest.raises(Unreadable, match=r"PALETTE COLOR is no radiograph's"):
        render(photometric="PALETTE COLOR")


def test_size_is_checked_before_pixels_are_decoded():
    with pytest.raises(Unreadable, match="60000 x 60000 pixels are too many"):
        render(Rows=60000, Columns=60000)
    with pytest.raises(Unreadable, match="32 x 1 pixels are too few"):
        render(Rows=1)


def test_a_document_has_no_pixels():
    made = dataset()
    del made.PixelData
    with pytest.raises(Unreadable, match="a DICOM file without pixel data"):
        decode(written(made))


def test_a_file_that_is_cut_names_the_file(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(written(dataset())[:-100])
    with pytest.raises(DataError, match=r"film\.dcm: truncated or unreadable DICOM: .*1436 vs 1536 bytes"):
        read_grey(path)


def test_every_cut_is_refused():
    whole = written(dataset())
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(Unreadable, match=r"DICOM|empty"):
            decode(whole[:end])


def test_oddities_that_can_be_read_nevertheless_need_no_warning():
    made = dataset()
    made.PixelData += bytes(10)
    assert np.array_equal(decode(written(made)), render())
