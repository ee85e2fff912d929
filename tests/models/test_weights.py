"""Pre-trained weights arrive whole or not at all."""

import pickle

import pytest
import timm
import torch
from cxrbench.models.backbones import build_backbone
from safetensors.torch import save_file

from cxrbench.config import Backbone, load_approach, load_profile
from cxrbench.errors import WeightsError
from cxrbench.models.weights import load_weights, obtain_weights

RESNET50 = Backbone(start="imagenet")


@pytest.fixture(scope="module")
def published():
    """A state dictionary in the hub's format: timm's ResNet-50 with its last layer."""
    torch.manual_seed(0)
    return timm.create_model("resnet50", pretrained=False).state_dict()


def obtain(path, backbone=RESNET50):
    return obtain_weights(str(path), backbone, image_size=64, stand_in_steps=0)


@pytest.mark.parametrize("form", ["safetensors", "pth", "nested", "older"])
def test_a_local_file_in_the_hubs_format_fills_the_network(form, published, tmp_path):
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        save_file({name: value.contiguous() for name, value in published.items()}, path)
    elif form == "nested":
        torch.save({"state_dict": {f"module.{name}": value for name, value in published.items()}}, path)
    elif form == "older":
        torch.save({name: value for name, value in published.items() if "num_batches" not in name}, path)
    else:
        torch.save(published, path)
    network = build_backbone(RESNET50, channels=3)
    load_weights(network, obtain(path))
    for name, value in network.state_dict().items():
        if "num_batches" not in name:
            assert torch.equal(value, published[name]), name


def test_one_channel_from_three_answers_grey_alike(published, tmp_path):
    torch.save(published, tmp_path / "weights.pth")
    three, one = (build_backbone(RESNET50, channels=channels).eval() for channels in (3, 1))
    for network in (three, one):
        load_weights(network, obtain(tmp_path / "weights.pth"))
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(one(grey), three(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_an_absent_tensor_is_named(published, tmp_path):
    torch.save(
        {name: value for name, value in published.items() if name != "layer3.5.conv2.weight"}, tmp_path / "w.pth"
    )
    with pytest.raises(WeightsError, match=r"'layer3.5.conv2.weight' is absent"):
        obtain(tmp_path / "w.pth")


def test_weights_of_another_width_are_refused_with_the_remedy(published, tmp_path):
    torch.save(published, tmp_path / "w.pth")
    small = load_profile("small").apply(load_approach("ft")).backbone
    with pytest.raises(WeightsError, match=r"\(64, 3, 7, 7\), the network needs \(16, 3, 7, 7\).*--weights stand-in"):
        obtain(tmp_path / "w.pth", small)


class _Malicious:
    def __reduce__(self):
        return (open, ("harm-done", "w"))


def test_pickled_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_bytes(pickle.dumps(_Malicious(), protocol=2))
    with pytest.raises(WeightsError, match=r"w\.pth: not a file of weights"):
        obtain(tmp_path / "w.pth")
    assert not (tmp_path / "harm-done").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_broken_file_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=rf"{name}: not a file of weights"):
        obtain(tmp_path / name)


def test_no_such_file_names_the_ways_out(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pth: no such weights file.*'hub' or 'stand-in'"):
        obtain(tmp_path / "absent.pth")


def test_without_the_hub_the_error_names_the_local_file(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("network unreachable")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(WeightsError, match=r"resnet50\.tv_in1k.*network unreachable.*--weights FILE"):
        obtain_weights("hub", RESNET50, image_size=64, stand_in_steps=0)


def test_hub_weights_are_those_the_hub_gives(published, monkeypatch):
    network = timm.create_model("resnet50", pretrained=False)
    network.load_state_dict(published)
    asked = []
    monkeypatch.setattr(timm, "create_model", lambda name, *, pretrained: asked.append((name, pretrained)) or network)
    weights = obtain_weights("hub", RESNET50, image_size=64, stand_in_steps=0)
    assert asked == [("resnet50.tv_in1k", True)]
    assert torch.equal(weights["layer4.2.conv3.weight"], published["layer4.2.conv3.weight"])
