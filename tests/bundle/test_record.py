"""Whatever a description says that was altered with a digest that fits: it is answered, or refused in one line."""

import copy as copies
import json
import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from cxrbench.bundle import load_bundle
from cxrbench.bundle.card import card
from cxrbench.data.images import read_film
from cxrbench.errors import BundleError, CxrbenchError
from cxrbench.files import digest_file, digest_json
from cxrbench.predict import Prediction, Predictor
from cxrbench.predict.writing import as_document, as_table

DELETED = object()
HALF_A_PAIR = "\ud800"
VALUES = (
    DELETED, None, "x", HALF_A_PAIR, "../x", True, -1, 0, 7, 10**30, 0.5, -1e308, 1e308, float("nan"), float("inf"),
    [], [[]], [1.0], [float("nan")] * 101, ["x", "x"], {}, {"x": 1}, {"x": {}},
)  # fmt: skip
"""What a field may be exchanged for; lists and mappings are also made longer and shorter."""
TESTED = 120


@pytest.fixture(scope="module")
def folder(small_bundle, tmp_path_factory):
    return shutil.copytree(small_bundle, tmp_path_factory.mktemp("mutated") / "bundle")


@pytest.fixture(scope="module")
def sound(folder):
    """What both descriptions say, unaltered."""
    return {name: json.loads((folder / name).read_text()) for name in ("bundle.json", "reference.json")}


@pytest.fixture(scope="module")
def film(small_study):
    return read_film(min((small_study.parent / "films").rglob("*.png")))


def places(value, path=()) -> Iterator[tuple]:
    """Where a JSON value can be altered: all keys; of lists, and of mappings by finding, the first and last."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    is_many = isinstance(value, list) or "Effusion" in keys
    for key in dict.fromkeys((keys[0], keys[-1])) if keys and is_many else keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutations(sound) -> Iterator[tuple[tuple, object]]:
    """All places with all values; the first key names the file."""
    for name, raw in sound.items():
        for path in places(raw):
            if path != ("digest",):
                yield from (((name, *path), value) for value in (*VALUES, *other_lengths(raw, path)))


def other_lengths(raw, path):
    value = raw
    for key in path:
        value = value[key]
    if isinstance(value, list):
        return (value[:-1], [*value, *value[-1:]], value[::-1])
    if isinstance(value, dict):
        return (dict(list(value.items())[:-1]), value | {"more": next(iter(value.values()), 1)})
    return ()


def write(folder, sound, *, place=(), value=None):
    """Both files, one value exchanged, digests that fit."""
    raw = copies.deepcopy(sound)
    if place:
        *way, last = place
        holder = raw
        for key in way:
            holder = holder[key]
        if value is DELETED:
            del holder[last]
        else:
            holder[last] = value
    (folder / "reference.json").write_text(json.dumps(raw["reference.json"]))
    record = {key: one for key, one in raw["bundle.json"].items() if key != "digest"}
    if "reference_sha256" not in place:
        record["reference_sha256"] = digest_file(folder / "reference.json")
    digest = "of no text" if value == HALF_A_PAIR else digest_json(record)
    (folder / "bundle.json").write_text(json.dumps(record | {"digest": digest}))


def use(folder, film):
    """All that a user does with a bundle."""
    bundle = load_bundle(folder)
    answer = Predictor(bundle).predict_films([film])[0]
    prediction = Prediction(path="film.png", answer=answer)
    table = as_table(bundle, [prediction])
    json.dumps(as_document(bundle, [prediction]), allow_nan=False)
    assert card(bundle.record)
    assert np.isfinite(table.select(bundle.answered).to_numpy()).all()


def test_unaltered_it_is_answered(folder, sound, film):
    write(folder, sound)
    use(folder, film)


def test_any_altered_value_is_answered_or_refused(folder, sound, film):
    every = list(mutations(sound))
    refused = 0
    for i in np.random.default_rng(0).permutation(len(every))[:TESTED]:
        place, value = every[i]
        write(folder, sound, place=place, value=value)
        try:
            use(folder, film)
        except CxrbenchError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{place} = {value!r:.60}") from error
    assert 0 < refused < TESTED


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("decisions", "Mass"), DELETED, "decisions and findings differ: Mass is in one of both only"),
        (("population", "stated", "Mass"), DELETED, r"population\.stated and findings differ: Mass"),
        (("members", 0, "calibrations", "Mass"), DELETED, "calibrations of member 1 and findings differ: Mass"),
        (("decisions", "Mass", "quantiles"), [0.0, 1.0], r"decisions\.Mass\.quantiles: .*at least 101 items"),
        (("decisions", "Mass", "quantiles"), [1.0] * 50 + [0.5] * 51, r"decisions\.Mass: quantiles fall after 1\.0"),
        (("decisions", "Mass", "threshold"), float("nan"), r"decisions\.Mass\.threshold: .*finite number; got nan"),
        (("findings", 0), "Mass", "findings names one twice"),
        (("vocabulary", "findings", 0, "name"), "Other", "vocabulary and findings differ"),
        (("population", "positives", "Mass"), 0, "Mass: the networks saw one kind of film; withheld lacks it"),
        (("withheld", "Stent"), "new", "withheld names Stent, which is no output"),
        (("left_out",), {"Mass": "new"}, "left_out names Mass, which is an output"),
        (("members", 0, "feature_scaling", "features"), ["age"], "cannot be scaled as"),
        (("members", 0, "feature_scaling", "means", "age"), DELETED, "means lacks age"),
        (("members", 0, "calibrations", "Mass", "intercept"), 3.0, "does not fit its calibration"),
        (("population", "age_quantiles", "50"), DELETED, "age_quantiles needs .*100"),
        (("pixel_statistics", "components"), [], "at least 1 item"),
        (("test", 0, "images"), None, r"test\.0: \d+ positives of None images"),
        (("archive", "name"), HALF_A_PAIR, "absent, truncated or damaged .*surrogates not allowed"),
        (("pixel_statistics", "mean"), [0.0], "at least 256 items"),
        (("members", 0, "approach", "network", "backbone", "resnet", "width"), 4096, "not the weights of approach"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_named(folder, sound, film, place, value, said):
    write(folder, sound, place=("bundle.json", *place), value=value)
    with pytest.raises(BundleError, match=said):
        use(folder, film)


def test_a_reference_of_other_findings(folder, sound):
    write(folder, sound, place=("reference.json", "probabilities"), value=[0.5])
    with pytest.raises(BundleError, match=r"reference\.json: its outputs are not those of 1 members and 12 findings"):
        load_bundle(folder)
