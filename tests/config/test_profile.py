"""Profiles: the published size changes nothing, the small one keeps what makes an approach."""

import pytest

from cxrbench import config
from cxrbench.errors import ConfigError

SMALL, PAPER = config.load_profile("small"), config.load_profile("paper")


@pytest.mark.parametrize("name", config.load_study("paper", {"data": "a", "out": "b"}).approaches)
def test_the_small_profile_keeps_what_makes_an_approach(name):
    full = config.load_approach(name)
    reduced = SMALL.apply(full)
    own, before = reduced.network.backbone.settings, full.network.backbone.settings
    assert reduced.input.image_size == {224: 64, 448: 128}[full.input.image_size]
    assert (own.width, own.extra_pool, own.depth) == (16, before.extra_pool, before.depth)
    assert (reduced.network.features, reduced.network.weights) == (full.network.features, full.network.weights)
    assert reduced.recipe.batch_size == 32


def test_the_paper_profile_resolves_blocks_and_changes_nothing_else():
    approach = config.load_approach("large")
    resolved = PAPER.apply(approach)
    assert resolved.network.backbone.settings.blocks == (3, 4, 6, 3)
    assert config.with_changes(resolved, {"network.backbone.resnet.blocks": None}) == approach


def test_a_size_that_a_profile_does_not_know_is_refused():
    own = config.with_changes(config.load_approach("large"), {"name": "own", "input.store_size": 512})
    with pytest.raises(ConfigError, match=r"approach own: profile small has no store_size for 512; it has 224, 256"):
        SMALL.apply(own)


def test_a_width_that_the_small_profile_would_make_too_narrow_is_refused():
    own = config.with_changes(config.load_approach("large"), {"network.backbone.resnet.width": 4})
    with pytest.raises(ConfigError, match=r"approach large: network\.backbone: resnet: width: .*; got 1"):
        SMALL.apply(own)


TIMM = config.with_changes(config.load_approach("ft"), {"network.backbone": {"timm": "convnext_tiny"}, "name": "cnx"})


def test_another_family_names_its_small_sibling_or_is_refused():
    with pytest.raises(ConfigError, match=r"approach cnx: profile small is for resnet; name a small sibling of timm"):
        SMALL.apply(TIMM)
    sibling = {"network.backbone.timm.model": "convnext_atto", "input.image_size": 64, "input.store_size": 72}
    reduced = SMALL.apply(config.with_changes(TIMM, {"profiles": {"small": sibling}}))
    assert (reduced.network.backbone.settings.model, reduced.input.image_size) == ("convnext_atto", 64)
    assert (reduced.recipe.batch_size, reduced.profiles) == (32, {})


def test_another_family_is_left_alone_by_the_paper_profile():
    assert PAPER.apply(TIMM) == TIMM
