"""Columns of anyone's file are found by name; what is no probability is refused with its place."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrbench.config import load_vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate.matching import named_apart, read_predictions

NIH = load_vocabulary().names


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("image", ["image_id", "Image Index", "filename", "Image", "path", "image-path"])
@pytest.mark.parametrize(
    "finding", ["Pleural_Thickening", "pleural thickening", "prob_Pleural_Thickening", "PLEURAL-THICKENING_pred"]
)
def test_spellings_of_columns(tmp_path, image, finding):
    found = read_predictions(write(tmp_path / "a.csv", f"{image},note,{finding}\nx.png,hello,0.25\n"))
    assert found.matched == {image: "image", finding: "Pleural_Thickening"}
    assert found.ignored == ("note",)
    assert found.scores.rows() == [("x.png", 0.25)]


@given(
    order=st.permutations(NIH),
    styles=st.lists(st.sampled_from(["{}", "prob_{}", "{}_score", " {} "]), min_size=15, max_size=15),
)
def test_any_order_and_style_of_all_findings(tmp_path_factory, order, styles):
    columns = [style.format(name) for style, name in zip(styles, order, strict=True)]
    values = [f"{NIH.index(name) / 20}" for name in order]
    path = write(
        tmp_path_factory.mktemp("order") / "a.csv", f"image_id,{','.join(columns)}\nx.png,{','.join(values)}\n"
    )
    assert read_predictions(path).scores.row(0) == ("x.png", *(index / 20 for index in range(15)))


def test_parquet_reads_like_csv(tmp_path):
    frame = pl.DataFrame({"image_id": ["a.png", "b.png"], "Mass": [0.5, 0.25]})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    assert read_predictions(tmp_path / "a.parquet").scores.equals(read_predictions(tmp_path / "a.csv").scores)


def test_logits_of_our_own_runs_become_probabilities(tmp_path):
    pl.DataFrame({"image_id": ["a.png"], "patient_id": ["1"], "Mass": [2.0]}).write_parquet(
        tmp_path / "predictions-test.parquet"
    )
    (tmp_path / "config.json").write_text("{}")
    assert read_predictions(tmp_path / "predictions-test.parquet").scores["Mass"][0] == pytest.approx(
        1 / (1 + np.exp(-2))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,Mass\na.png,0.5\nb.png,1.5\n", r"line 3, column 'Mass': 1.5 is no probability .*sigmoid"),
        ("image_id,Mass\na.png,-0.1\n", r"line 2, column 'Mass': -0.1 is no probability"),
        ("image_id,Mass\na.png,nan\n", r"line 2, column 'Mass': has no number"),
        ("image_id,Mass\na.png,0.5\nb.png,\n", r"line 3, column 'Mass': has no number \(1 such rows\)$"),
        ("image_id,Mass\na.png,high\n", r"line 2, column 'Mass': 'high' is not a number"),
        ("image_id,Mass\na.png,0.5\n\nb.png,0.5\na.png,0.25\n", r"image a.png twice \(line 2 and line 5\)"),
        ("image_id,Mass\n ,0.5\n", r"line 2: image_id is blank"),
        ("name,Mass\na.png,0.5\n", r"no column of image names: looked for image_id,.*it has 'name', 'Mass'"),
        ("image_id,Massive\na.png,0.5\n", r"no column of a finding: it has 'image_id', 'Massive'; valid names: Atelec"),
        ("image_id,Mass,prob_mass\na.png,0.5,0.5\n", r"columns 'Mass' and 'prob_mass' both mean Mass"),
        ("image_id,Mass\n", r"is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_predictions(write(tmp_path / "a.csv", text))
    assert "\n" not in str(caught.value)
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_no_such_file(tmp_path, name):
    with pytest.raises(DataError, match=f"cannot read .*{name}"):
        read_predictions(tmp_path / name)


def test_a_file_that_is_no_parquet(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*a.parquet"):
        read_predictions(write(tmp_path / "a.parquet", "not parquet at all"))


def test_files_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "test.csv" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        write(path, "image_id,Mass\na.png,0.5\n")
    assert list(named_apart([read_predictions(path) for path in paths])) == ["one/test", "two/test"]
