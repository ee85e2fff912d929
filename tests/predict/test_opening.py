"""What ``auto`` takes: the fastest at hand that gives the reference answer."""

import pytest

from cxrbench.bundle import load_bundle
from cxrbench.bundle.network import TorchNetwork
from cxrbench.predict import Predictor, backends, opening
from cxrbench.predict.opening import open_networks


@pytest.fixture
def bundle(small_bundle, monkeypatch):
    """One whose exports are all there and installed, and whose runtimes are torch."""
    monkeypatch.setattr(opening, "has_export", lambda bundle, form: True)
    monkeypatch.setattr(opening, "find_spec", lambda name: name)
    for form in ("onnx", "openvino"):
        monkeypatch.setitem(backends.BACKENDS, form, lambda bundle, member: TorchNetwork(bundle.classifier(member)))
    return load_bundle(small_bundle)


def shifted(by):
    """Opens networks whose logits are off."""

    def opened(bundle, member):
        network = TorchNetwork(bundle.classifier(member))
        return lambda films, features: network(films, features) + by

    return opened


def test_the_fastest_comes_first(bundle):
    opened = open_networks(bundle, "auto")
    assert (opened.backend, opened.passed_over) == ("openvino", {})
    assert opened.largest_difference < 1e-5
    assert Predictor(bundle).backend == "openvino"


@pytest.mark.parametrize("off", [5e-5, float("nan")], ids=str)
def test_other_answers_are_passed_over_and_said(bundle, monkeypatch, off):
    monkeypatch.setitem(backends.BACKENDS, "openvino", shifted(off))
    opened = open_networks(bundle, "auto", is_checked=False)
    assert opened.backend == "onnx"
    said = "nan" if off != off else "5.0e-05"  # noqa: PLR0124 - NaN is what differs from itself
    assert opened.passed_over == {"openvino": f"its logits of the reference film are {said} from those of the bundle"}


def test_what_is_not_at_hand_is_passed_over_and_said(bundle, monkeypatch):
    monkeypatch.setattr(opening, "has_export", lambda bundle, form: form == "onnx")
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    opened = open_networks(bundle, "auto")
    assert opened.backend == "torch"
    assert opened.passed_over == {
        "openvino": "the bundle has no export for it",
        "onnx": "onnxruntime is not installed",
    }


def test_a_gpu_is_torchs(bundle, monkeypatch):
    monkeypatch.setattr(opening, "_has_gpu", lambda: True)
    assert open_networks(bundle, "auto").backend == "torch"
