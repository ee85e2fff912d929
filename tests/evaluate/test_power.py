"""What a test set can show, and how that depends on what is assumed."""

import polars as pl
import pytest

from cxrbench.errors import DataError
from cxrbench.evaluate.power import Assumptions, power


def test_power_grows_with_the_difference_and_is_the_same_again(labels):
    small, large = (
        power(labels, difference=value).filter(pl.col("finding") == "Infiltration") for value in (0.01, 0.1)
    )
    assert small["power"][0] < large["power"][0]
    assert small["smallest_detectable"][0] == large["smallest_detectable"][0]
    assert power(labels, difference=0.01).filter(pl.col("finding") == "Infiltration").equals(small)


def test_power_at_the_smallest_detectable_difference_is_80_percent(labels):
    detectable = power(labels).filter(pl.col("finding") == "Infiltration")["smallest_detectable"][0]
    reached = power(labels, difference=detectable).filter(pl.col("finding") == "Infiltration")["power"][0]
    assert reached == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("difference", [0.0, 0.5, -0.01])
def test_power_for_a_difference_out_of_range(labels, difference):
    with pytest.raises(ValueError, match=f"got {difference}"):
        power(labels, difference=difference)


def test_power_for_images_without_labels(labels, tmp_path):
    listed = tmp_path / "test_list.txt"
    listed.write_text("x.png\n")
    with pytest.raises(DataError, match=r"1 images have no label \(first: x.png\)"):
        power(labels, images=listed)


def test_models_that_agree_are_easier_to_tell_apart(labels):
    apart, alike = (
        power(labels, assumptions=Assumptions(correlation=r)).filter(pl.col("finding") == "Infiltration")["std_error"][
            0
        ]
        for r in (0.2, 0.9)
    )
    assert alike < 0.6 * apart
