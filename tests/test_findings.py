"""Vocabularies of findings."""

import pytest

from cxrbench import findings


def test_the_paper_has_fifteen_outputs_with_no_finding_last():
    assert len(findings.PATHOLOGIES) == 14
    assert (*findings.PATHOLOGIES, "No Finding") == findings.NIH


@pytest.mark.parametrize("name", findings.NIH)
@pytest.mark.parametrize("written", [str, str.lower, str.upper, lambda name: f" {name.replace('_', ' ')} "])
def test_own_names_are_known_however_they_are_written(name, written):
    assert findings.canonical(written(name)) == name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Infiltrate", "Infiltration"),
        ("Pleural Effusion", "Effusion"),
        ("pleural-thickening", "Pleural_Thickening"),
        ("normal", "No Finding"),
    ],
)
def test_synonyms_of_other_releases(theirs, ours):
    assert findings.canonical(theirs) == ours


@pytest.mark.parametrize("name", ["", "Fracture", "Effusions", "Nodule|Mass"])
def test_other_names_are_unknown(name):
    assert findings.canonical(name) is None


def test_a_synonym_counts_only_when_its_meaning_is_in_the_vocabulary():
    assert findings.canonical("Infiltrate", ("Mass", "Nodule")) is None
    assert findings.canonical("mass", ("Mass", "Nodule")) == "Mass"
