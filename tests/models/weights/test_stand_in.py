"""Stand-in weights: the same each time, and they have learnt something."""

import torch
from torch import nn

from cxrbench.models.backbone import build_backbone
from cxrbench.models.weights.fitting import load_weights
from cxrbench.models.weights.stand_in import PICTURES, draw_pictures, stand_in_weights
from pretrained import VIT, approach_from

BACKBONE = approach_from("stand-in", {"resnet": {"depth": 50, "blocks": [1, 1, 1, 1], "width": 8}}).network.backbone


def test_the_same_arguments_give_the_same_weights():
    one, same = (stand_in_weights(BACKBONE, image_size=32, steps=2) for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_the_callers_random_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    stand_in_weights(BACKBONE, image_size=32, steps=1)
    assert torch.equal(torch.rand(3), expected)


def test_pictures_have_every_kind_and_a_moderate_range():
    pictures, kinds = draw_pictures(200, size=32, generator=torch.Generator().manual_seed(0))
    assert pictures.shape == (200, 3, 32, 32)
    assert set(kinds.tolist()) == set(range(len(PICTURES)))
    assert pictures.abs().mean() < 2


def nearest_centre_accuracy(weights):
    """How well kinds of new pictures separate in the pooled features."""
    network = build_backbone(BACKBONE, channels=3, image_size=32)
    load_weights(network, weights)
    network.eval()

    def features(count, seed):
        pictures, kinds = draw_pictures(count, size=32, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            return nn.functional.normalize(network(pictures).mean(dim=(2, 3))), kinds

    known, kinds = features(400, 1)
    centres = torch.stack([known[kinds == kind].mean(dim=0) for kind in range(len(PICTURES))])
    new, truth = features(400, 2)
    return (torch.cdist(new, centres).argmin(dim=1) == truth).float().mean().item()


def test_pre_training_makes_the_kinds_separable():
    untrained = nearest_centre_accuracy(stand_in_weights(BACKBONE, image_size=32, steps=0))
    trained = nearest_centre_accuracy(stand_in_weights(BACKBONE, image_size=32, steps=200))
    assert trained > untrained + 0.05


def test_networks_of_timm_have_stand_ins_too():
    backbone = approach_from("stand-in", VIT).network.backbone
    weights = stand_in_weights(backbone, image_size=64, steps=1)
    load_weights(build_backbone(backbone, channels=3, image_size=64), weights)
