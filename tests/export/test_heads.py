"""Every head computes the same in both runtimes, for one film and for several at once.

Weights are far from where they start: attention that is still even hides what a runtime gets wrong.
"""

import numpy as np
import pytest
import torch
from torch import nn

from cxrbench.export.graph import Exported
from cxrbench.export.writing import write_onnx, write_openvino
from cxrbench.models.classifier import Classifier
from cxrbench.predict.exported import TensorRecord
from cxrbench.predict.runtimes import OnnxNetwork, OpenVinoNetwork
from tiny_networks import HEADS, shaken, tiny_approach


@pytest.mark.parametrize("head", HEADS)
def test_a_head_computes_the_same_in_every_runtime(head, tmp_path):
    approach = tiny_approach("resnet", head)
    classifier = shaken(Classifier(approach, findings=3)).eval()
    module = Exported(classifier, film=nn.Identity(), features=nn.Identity()).eval()
    shapes = {"film": ("batch", 1, 64, 64), "features": ("batch", 3)}
    records = tuple(TensorRecord(name=name, type="float32", shape=shape, meaning="") for name, shape in shapes.items())
    write_onnx(module, records, tmp_path / "model.onnx", about={})
    described, _ = write_openvino(tmp_path / "model.onnx", tmp_path / "model.xml")
    film, features = torch.rand(7, 1, 64, 64), torch.rand(7, 3)
    with torch.inference_mode():
        expected = classifier(film, features).numpy()
    for network in (OnnxNetwork(tmp_path / "model.onnx"), OpenVinoNetwork(described)):
        for count in (1, 7):
            found = network(film[:count].numpy(), features[:count].numpy())
            np.testing.assert_allclose(found, expected[:count], rtol=1e-4, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 0.01
