"""Published figures: each with a source, and only beside what they can be compared with."""

import pytest

from cxrbench.report.published import published_beside, read_published


@pytest.mark.parametrize("one", read_published(), ids=lambda one: one.name)
def test_each_has_a_source_and_a_plausible_value(one):
    assert one.source.startswith(("doi:", "arXiv:", "github.com/"))
    assert one.split in {"random", "official"}
    assert 0.7 < one.auc < 0.9


def test_splits_are_kept_apart():
    official, random = published_beside("official"), published_beside("resample")
    assert {one.split for one in official} == {"official"}
    assert random == published_beside("fold")
    assert [one.auc for one in official] == sorted(one.auc for one in official)


def test_the_papers_own_numbers():
    own = {one.split: one.auc for one in read_published() if one.name.startswith("Baltruschat")}
    assert own == {"random": 0.822, "official": 0.806}
