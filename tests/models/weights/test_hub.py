"""Weights of a hub are those that it has, with what timm says of them; without it the error names the way out."""

from functools import partial

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from cxrbench.config import approach_names, load_approach, load_profile
from cxrbench.errors import WeightsError
from cxrbench.models.weights.known import known_by_file
from cxrbench.models.weights.sources import obtain_weights
from pretrained import TINY, VIT, approach_from, timm_state

PAPER = {"resnet": {"depth": 50}}
LITTLE = {"timm": {"model": "resnet10t.c3_in1k"}}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Let timm's hub have a file of our own for whatever is asked of it; says what was asked."""
    asked = []
    create = timm.create_model

    def fetch(name, *, pretrained=False, **options):
        if not pretrained:
            return create(name, pretrained=False, **options)
        asked.append(name)
        path = tmp_path / f"{name}.safetensors"
        save_file(timm_state(name), path)
        return create(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options)

    monkeypatch.setattr(timm, "create_model", fetch)
    return asked


@pytest.fixture
def offline(monkeypatch):
    create = timm.create_model

    def fetch(name, *, pretrained=False, **options):
        if pretrained:
            raise OSError("network unreachable")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", fetch)


def test_a_network_of_timm_gets_the_weights_of_its_own_name(hub):
    made = obtain_weights(approach_from("hub", LITTLE), stand_in_steps=0)
    assert hub == ["resnet10t.c3_in1k"]
    theirs = timm_state("resnet10t.c3_in1k")
    for name, value in made.tensors.items():
        assert torch.equal(value, theirs[name.removeprefix("network.")]), name
    record = made.record
    config = timm.get_pretrained_cfg("resnet10t.c3_in1k")
    assert (record.source, record.name, record.dataset) == ("hub", "resnet10t.c3_in1k", "ImageNet-1k")
    assert (record.mean, record.std, record.interpolation) == (config.mean, config.std, config.interpolation)
    assert record.licence == config.license
    assert f"as timm {timm.__version__} states it" in (record.licence_seen or "")
    assert record.tensors == len(made.tensors)


def test_another_tag_may_be_named(hub):
    made = obtain_weights(approach_from({"hub": "resnet10t.c3_in1k"}, {"timm": "resnet10t"}), stand_in_steps=0)
    assert hub == ["resnet10t.c3_in1k"]
    assert made.record.name == "resnet10t.c3_in1k"


def test_weights_of_another_network_are_refused(hub):
    with pytest.raises(WeightsError, match=r"approach own: weights from the hub's resnet18\.a1_in1k: .* is absent"):
        obtain_weights(approach_from({"hub": "resnet18.a1_in1k"}, {"timm": "resnet10t"}), stand_in_steps=0)


def test_the_papers_network_gets_torchvisions(hub):
    made = obtain_weights(approach_from("hub", PAPER), stand_in_steps=0)
    assert hub == ["resnet50.tv_in1k"]
    assert torch.equal(made.tensors["layer4.2.conv3.weight"], timm_state("resnet50")["layer4.2.conv3.weight"])
    assert (made.record.licence, made.record.licence_seen) == ("bsd-3-clause", "2026-11-30")
    assert not made.record.is_non_commercial


@pytest.mark.parametrize("own", [TINY, {"resnet": {"depth": 38}}])
def test_a_network_that_nobody_published_weights_for(own):
    with pytest.raises(WeightsError, match=r"none are published for a resnet of .* blocks and width .*stand-in"):
        obtain_weights(approach_from("hub", own), stand_in_steps=0)


@pytest.mark.usefixtures("offline")
def test_a_network_of_timm_without_published_weights():
    with pytest.raises(WeightsError, match=r"no published weights for 'resnet200'; it has for resnet200: none"):
        obtain_weights(approach_from("hub", {"timm": "resnet200"}), stand_in_steps=0)


@pytest.mark.usefixtures("offline")
def test_an_unknown_tag_is_answered_with_those_there_are():
    with pytest.raises(WeightsError, match=r"no published weights for 'resnet10t\.mine'; .*resnet10t\.c3_in1k"):
        obtain_weights(approach_from({"hub": "resnet10t.mine"}, LITTLE), stand_in_steps=0)


@pytest.mark.usefixtures("offline")
def test_without_the_hub_the_error_names_the_local_file():
    with pytest.raises(
        WeightsError, match=r"'resnet50\.tv_in1k' cannot be fetched .*network unreachable.*--weights FILE"
    ):
        obtain_weights(approach_from("hub", PAPER), stand_in_steps=0)


@pytest.mark.usefixtures("offline")
def test_a_repository_is_asked_for_in_timms_words(monkeypatch):
    asked = []
    monkeypatch.setattr(timm, "create_model", partial(_unreachable, asked, timm.create_model))
    with pytest.raises(WeightsError, match=r"'someone/network' cannot be fetched"):
        obtain_weights(approach_from({"hub": "someone/network"}, LITTLE), stand_in_steps=0)
    assert asked == ["hf-hub:someone/network"]


def _unreachable(asked, create, name, *, pretrained=False, **options):
    if pretrained:
        asked.append(name)
    return create(name, pretrained=pretrained, **options)


def test_one_file_of_a_repository_comes_with_what_is_known_of_it(tmp_path, monkeypatch):
    path = tmp_path / "backbone_compatible.safetensors"
    save_file(timm_state("vit_tiny_patch16_224", **VIT["timm"]["options"], img_size=64, num_classes=0), path)
    asked = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *names: asked.append(names) or str(path))
    chosen = {"hub": {"id": "microsoft/rad-dino", "file": path.name}}
    record = obtain_weights(approach_from(chosen, VIT), stand_in_steps=0).record
    assert asked == [("microsoft/rad-dino", path.name)]
    assert record.licence == "mit"
    assert "nih" in {seen.archive for seen in record.saw}
    assert not any(seen.with_labels for seen in record.saw)
    assert any("training_images.csv" in note for note in record.notes)


def test_a_file_that_cannot_be_fetched_is_named(monkeypatch):
    def offline(*names):
        raise OSError("network unreachable")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(WeightsError, match=r"'someone/net, w\.pth' cannot be fetched .*unreachable"):
        obtain_weights(approach_from({"hub": {"id": "someone/net", "file": "w.pth"}}, TINY), stand_in_steps=0)


def test_a_licence_that_forbids_commerce_is_known(hub):
    backbone = {"timm": "convnextv2_atto.fcmae_ft_in1k"}
    record = obtain_weights(approach_from("hub", backbone), stand_in_steps=0).record
    assert record.licence == "cc-by-nc-4.0"
    assert record.is_non_commercial


def as_eva_x(state):
    """A state of timm in the names of the authors' files, with what only pre-training needs."""
    swaps = {
        "mlp.norm.": "mlp.ffn_ln.", "mlp.fc1_g.": "mlp.w1.", "mlp.fc1_x.": "mlp.w2.", "mlp.fc1.": "mlp.w12.",
        "mlp.fc2.": "mlp.w3.", "q_proj.bias": "q_bias", "v_proj.bias": "v_bias", "fc_norm.": "norm.",
    }  # fmt: skip
    theirs = {}
    for name, value in state.items():
        for ours, their in swaps.items():
            name = name.replace(ours, their)  # noqa: PLW2901 - each swap on what the last one made
        theirs[name] = value
    width = state["cls_token"].shape[-1]
    more = {"mask_token": (1, 1, width), "lm_head.weight": (8, width), "lm_head.bias": (8,), "rope.freqs_cos": (16, 8)}
    return theirs | {name: torch.rand(shape) for name, shape in more.items()}


HUB_FILES = {"eva-x-ti": as_eva_x, "eva-x-s": as_eva_x, "eva-x-b": as_eva_x, "rad-dino-probe": dict}


@pytest.mark.parametrize("name", HUB_FILES)
def test_a_packaged_approach_reads_its_hubs_file(name, tmp_path, monkeypatch):
    approach = load_profile("small").apply(load_approach(name))
    chosen, backbone = approach.network.weights.settings, approach.network.backbone.settings
    state = timm_state(backbone.model, **backbone.options, img_size=approach.input.image_size, num_classes=0)
    path = tmp_path / chosen.file
    if path.suffix == ".safetensors":
        save_file(HUB_FILES[name](state), path)
    else:
        torch.save({"model": HUB_FILES[name](state), "epoch": 1}, path)
    asked = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *names: asked.append(names) or str(path))
    made = obtain_weights(approach, stand_in_steps=0)
    assert asked == [(chosen.id, chosen.file)]
    assert {each.removeprefix("network.") for each in made.tensors} == set(state)
    for tensor, value in made.tensors.items():
        assert torch.equal(value, state[tensor.removeprefix("network.")]), tensor
    assert "nih" in {seen.archive for seen in made.record.saw}
    assert made.record.licence == "mit"
    assert (made.record.mean, made.record.std) == {
        "MapleF/eva_x": ((0.49185243,) * 3, (0.28509309,) * 3), "microsoft/rad-dino": ((0.5307,) * 3, (0.2583,) * 3)
    }[chosen.id]  # fmt: skip


def test_packaged_approaches_name_weights_that_their_hub_has():
    for name in approach_names():
        network = load_approach(name).network
        if network.backbone.name == "timm" and getattr(network.weights.settings, "file", None) is None:
            assert network.backbone.settings.model in timm.list_pretrained(), name
        elif network.weights.name == "hub" and network.weights.settings.id:
            assert known_by_file(network.weights.settings.file)[0] == network.weights.settings.id
