"""Numbers and names read as in print."""

import pytest

from cxrbench.report import words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.decimal(0.81249), "0.812"),
        (words.decimal(-0.5, 1), "−0.5"),
        (words.decimal(None), "–"),
        (words.signed(0.0123), "+0.012"),
        (words.signed(-0.0123), "−0.012"),
        (words.plus_minus(0.8, 0.01), "0.800 ± 0.010"),
        (words.plus_minus(0.8, None), "0.800"),
        (words.interval(-0.01, 0.02), "−0.010 to 0.020"),
        (words.interval(None, 0.02), "–"),
        (words.count(112120), "112\u202f120"),
        (words.count(None), "–"),
        (words.p_value(0.0004), "< 0.001"),
        (words.p_value(0.0416), "0.042"),
        (words.p_value(0.416), "0.42"),
        (words.p_value(None), "–"),
        (words.mean_count([0, 1]), "0.5"),
        (words.mean_count([4, 4]), "4"),
        (words.mean_count([14, 15]), "14"),
        (words.percent(0.0451), "4.5\u202f%"),
        (words.duration(None), "–"),
        (words.duration(8.4), "8 s"),
        (words.duration(125), "2 min 05 s"),
        (words.duration(7260), "2 h 01 min"),
        (words.listed([]), ""),
        (words.listed(["a"]), "a"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.number(8), "eight"),
        (words.number(16), "16"),
        (words.slug("Pleural_Thickening (AP)"), "pleural-thickening-ap"),
        (words.slug("Línea PICC"), "linea-picc"),
        (words.slug("骨折"), "3cf171"),
        (words.title_of("Pleural_Thickening"), "Pleural Thickening"),
        (words.group_title("age=18-39"), "18–39 years"),
        (words.group_title("view=PA"), "PA"),
        (words.group_title("sex=F"), "Female"),
        (words.group_title("all"), "All images"),
        (words.kind_title("official"), "Official split"),
    ],
)
def test_in_print(said, expected):
    assert said == expected
