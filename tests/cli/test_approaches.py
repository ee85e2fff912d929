"""`cxrbench approaches`: what is shown can be made; what cannot is refused in one line, and nothing is downloaded."""

import socket

import pytest

OWN = """
name: own
summary: a network of timm
network: {{backbone: {backbone}, weights: {weights}}}
input: {{image_size: {size}, store_size: 448, evaluation_crop: 1.0, channels: 3}}
recipe: {{learning_rate: 0.001}}
"""


@pytest.fixture
def show(cxrbench, tmp_path, monkeypatch):
    """Show an approach with a backbone; without a network."""

    def refuse(*_arguments, **_options):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    def call(backbone, *, weights="hub", size=224):
        path = tmp_path / "own.yaml"
        path.write_text(OWN.format(backbone=backbone, weights=weights, size=size))
        return cxrbench("approaches", "show", path)

    return call


def test_an_approach_whose_network_can_be_built_is_shown_as_it_resolves(show):
    code, out, err = show("{timm: convnext_atto}")
    assert (code, err) == (0, "")
    assert "# as resolved:" in out
    assert "learning_rate: 0.001" in out


@pytest.mark.parametrize(
    ("backbone", "size", "said"),
    [
        ("{timm: convnext_ato}", 224, "unknown timm network 'convnext_ato'; did you mean convnext_atto"),
        ("{timm: convnext_atto.nobody}", 224, "timm network 'convnext_atto' has no weights 'nobody'"),
        ("{timm: vit_tiny_patch16_224}", 200, "input.image_size 200"),
        ("{timm: {model: convnext_atto, options: {depht: 3}}}", 224, "knows no option 'depht'; leave it out"),
        ("{module: 'nowhere_at_all:build'}", 224, "nowhere_at_all cannot be imported"),
        ("resnet", 200, "input.image_size 200 is no multiple of 32, which resnet needs; try 192"),
    ],
)
def test_an_approach_that_cannot_be_made_is_one_line_and_nothing_is_shown(show, backbone, size, said):
    code, out, err = show(backbone, size=size)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
