"""Mappings between vocabularies."""

import pytest

from cxrbench.config import format_names, load_format, load_vocabulary, vocabulary_names
from cxrbench.config.base import packaged_names
from cxrbench.config.mapping import FOLDER, find_mapping

NAMES = packaged_names(FOLDER)


@pytest.mark.parametrize("name", NAMES)
def test_each_line_leads_to_a_finding_and_has_a_reason(name):
    theirs, _, ours = name.partition("-to-")
    mapping = find_mapping(theirs, ours)
    target = load_vocabulary(ours)
    assert mapping.source
    assert len({each.theirs for each in mapping.names}) == len(mapping.names)
    assert all(each.ours in target.names and each.reason for each in mapping.names)


@pytest.mark.parametrize("name", NAMES)
def test_each_mapping_starts_from_findings_of_an_archive(name):
    theirs = name.partition("-to-")[0]
    formats = [form for form in map(load_format, format_names()) if form.vocabulary not in {None, "as found"}]
    known = {form.findings.name: form.findings for form in formats}
    own = known.get(theirs) or load_vocabulary(theirs if theirs in vocabulary_names() else "nih15")
    mapped = {each.theirs for each in find_mapping(theirs, "nih15").names}
    shared = {name for name in own.names if load_vocabulary().canonical(name) is not None}
    assert shared - mapped == set(), "a finding of the same name is left out"
    assert mapped & set(own.names)


def test_what_only_sounds_alike_is_not_mapped():
    names = find_mapping("padchest", "nih15").as_dict
    assert not {"pseudonodule", "subcutaneous emphysema", "pericardial effusion", "mediastinal mass"} & set(names)
    assert "Nodule/Mass" not in find_mapping("vindr", "nih15").as_dict


def test_there_is_none_between_others():
    assert find_mapping("nih15", "padchest") is None
