"""What a served bundle offers."""

from types import SimpleNamespace

import pytest

from cxrbench.serve.asking import HEAT_METHODS
from cxrbench.serve.service import Served


@pytest.mark.parametrize(
    ("usual", "offered"),
    [(("cam", "layer-cam"), HEAT_METHODS), (("grad-cam", "layer-cam"), HEAT_METHODS[1:])],
    ids=["with", "without"],
)
def test_class_activation_maps_are_offered_where_the_networks_have_them(usual, offered):
    explainer = SimpleNamespace(methods=lambda: usual, obstacle=None)
    assert Served("one", bundle=None, predictor=None, explainer=explainer).methods == offered
