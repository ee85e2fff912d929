"""Vocabularies: names that are found however they are written, and errors that name both sides of a clash."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cxrbench import runs
from cxrbench.config import Vocabulary, load_vocabulary, require_findings, vocabulary_names
from cxrbench.config.finding import PRIVATE_SCHEME, RESERVED
from cxrbench.config.vocabulary import folded
from cxrbench.errors import ConfigError

NIH15 = load_vocabulary()
NAMES = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia", "No Finding",
)  # fmt: skip


def test_the_paper_has_fifteen_outputs_with_no_finding_last():
    assert NIH15.names == NAMES
    assert NIH15.pathologies == NAMES[:-1]
    assert NIH15.none_present == "No Finding"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("written", [str, str.lower, str.upper, lambda name: f" {name.replace('_', ' ')} "])
def test_own_names_are_known_however_they_are_written(name, written):
    assert NIH15.canonical(written(name)) == name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Infiltrate", "Infiltration"),
        ("Pleural Effusion", "Effusion"),
        ("pleural-thickening", "Pleural_Thickening"),
        ("normal", "No Finding"),
        ("NoFinding", "No Finding"),
    ],
)
def test_spellings_of_other_releases(theirs, ours):
    assert NIH15.canonical(theirs) == ours


@pytest.mark.parametrize("name", ["", "-", "Fracture", "Effusions", "Nodule|Mass"])
def test_other_names_are_unknown(name):
    assert NIH15.canonical(name) is None


ACCENTS = {"a": "á", "e": "é", "o": "ö", "u": "û", "n": "ñ", "c": "ç"}


@given(
    name=st.text("abcdefghinopstuw XYZ0123", min_size=1, max_size=20).filter(str.strip),
    style=st.lists(st.sampled_from(["same", "upper", "accent"]), min_size=20, max_size=20),
    between=st.lists(st.sampled_from(["", " ", "_", "-"]), min_size=21, max_size=21),
)
def test_case_accents_blanks_and_hyphens_do_not_matter(name, style, between):
    change = {"same": str, "upper": str.upper, "accent": lambda letter: ACCENTS.get(letter, letter)}
    letters = [change[how](letter) for how, letter in zip(style, name, strict=False)]
    written = "".join(blank + letter for blank, letter in zip(between, letters, strict=False)) + between[-1]
    own = name.strip()
    assert Vocabulary.of([own, "quite another"]).canonical(written) == own


def test_signs_of_comparison_and_of_results_are_part_of_a_name():
    assert Vocabulary.of(["COVID+"]).canonical("covid +") == "COVID+"
    assert Vocabulary.of(["COVID+"]).canonical("covid-") is None
    assert Vocabulary.of(["Nodule >3 cm"]).canonical("nodule <3cm") is None


@given(st.text(max_size=12))
def test_a_folded_spelling_stays_as_it_is(text):
    assert folded(folded(text)) == folded(text)


def test_a_part_knows_only_its_own_spellings():
    assert NIH15.canonical("Infiltrate") == "Infiltration"  # the whole has looked its spellings up
    part = NIH15.subset(["Nodule", "Mass"])
    assert part.names == ("Mass", "Nodule")
    assert part.canonical("Infiltrate") is None
    assert part.canonical("mass") == "Mass"


def test_bare_names_take_the_code_of_the_packaged_vocabulary_and_keep_their_spelling():
    own = Vocabulary.of(["Fracture", "pleural effusion", "normal"])
    assert own.names == ("Fracture", "pleural effusion", "normal")
    assert own.pathologies == ("Fracture", "pleural effusion")
    assert own.none_present == "normal"
    assert own["pleural effusion"].coded == NIH15["Effusion"].coded
    assert (own["Fracture"].coded.scheme, own["Fracture"].coded.value) == (PRIVATE_SCHEME, "FRACTURE")
    assert own.canonical("Effusion") == "pleural effusion"


@pytest.mark.parametrize("second", ["Infiltration", {"name": "Infiltration"}])
def test_two_names_of_one_known_finding_stay_two(second):
    own = Vocabulary.of(["Infiltrate", second])
    assert (own.canonical("infiltrate"), own.canonical("INFILTRATION")) == ("Infiltrate", "Infiltration")
    assert own["Infiltrate"].code == NIH15["Infiltration"].code
    assert own["Infiltration"].code is None


def test_codes_of_our_own_differ_where_names_begin_alike():
    own = Vocabulary.of(["catheter via the jugular vein", "catheter via the subclavian vein", "肺炎", "骨折", "Rib"])
    values = [finding.coded.value for finding in own.findings]
    assert len(set(values)) == 5
    assert all(len(value) <= 16 and value.isascii() for value in values)
    assert values[-1] == "RIB"


SHARED = {"chexpert14": 7, "vindr": 11, "openi": 13, "padchest": 13}
"""How many of the paper's 14 pathologies they state, counted by hand; PadChest's "mass" is one of any organ."""


@pytest.mark.parametrize(("name", "shared"), SHARED.items())
def test_packaged_vocabularies_know_the_findings_that_they_share_with_the_paper(name, shared):
    other = load_vocabulary(name)
    assert sum(other.canonical(finding) is not None for finding in NIH15.pathologies) == shared
    assert other.none_present
    assert other.none_present not in other.pathologies


def test_where_none_is_a_pathology_all_count_in_the_mean():
    assert Vocabulary.of(["normal"]).pathologies == ("normal",)


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        (["Mass", "mass"], "two findings share the spelling 'mass': 'Mass' and 'mass'"),
        (
            [{"name": "Fracture", "aliases": ["broken rib"]}, {"name": "Rib", "aliases": ["Broken-Rib"]}],
            "two findings share the spelling 'Broken-Rib': 'Fracture' and 'Rib'",
        ),
        (["Mass", "Mass"], "findings names 'Mass' twice"),
        ([], "findings is empty; name one or more"),
        (["Mass", "view"], "findings.1.name: tables use this name for something else than a finding"),
        (["--"], "findings.0.name: a finding's name has a letter or a digit; got '--'"),
        ([" Mass"], "findings.0.name: blanks around it, unprintable letters or a leading #"),
        ([{"name": "Mass", "group": "rare"}], "findings.0.group: Input should be 'head', 'medium' or 'tail'"),
        ([{"name": "Mass", "alias": []}], "unknown key 'findings.0.alias'"),
        (
            [{"name": "a", "means_none": True}, {"name": "b", "means_none": True}],
            "means_none is true of 'a' and of 'b'; one label at most says it",
        ),
    ],
)
def test_a_wrong_vocabulary_is_one_line_with_the_file(tmp_path, findings, message):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"name": "own", "findings": findings}))
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {message}")) as caught:
        load_vocabulary(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_vocabulary_offers_the_near_ones():
    with pytest.raises(ConfigError, match=r"unknown vocabulary 'nih14'; did you mean nih15\? valid names: .*nih15"):
        load_vocabulary("nih14")


def test_an_unknown_finding_offers_the_near_ones():
    assert require_findings(["mass", "effusion"], NIH15) == ("Mass", "Effusion")
    with pytest.raises(ConfigError, match=r"unknown finding 'Efusion'; did you mean Effusion"):
        require_findings(["Mass", "Efusion"], NIH15)


@pytest.mark.parametrize("name", vocabulary_names())
def test_packaged_vocabularies_survive_json_and_give_each_finding_a_code(name):
    packaged = load_vocabulary(name)
    assert packaged.name == name
    assert packaged.source
    assert Vocabulary.model_validate(packaged.model_dump(mode="json")) == packaged
    codes = [finding.coded for finding in packaged.findings]
    assert len({(code.scheme, code.value) for code in codes}) == len(codes)
    assert all(code.source for code in codes)


def test_no_finding_is_called_like_a_column_of_the_table():
    assert set(runs.TABLE_COLUMNS) <= RESERVED
