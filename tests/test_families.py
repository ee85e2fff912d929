"""What every family of networks and every head must pass by itself.

Each pair is built, learns, and goes into a file and back. Each family's run resumes bit for bit. The chain from films
to an int8 export is run here for a network of convolutions and one of tokens, and with ``.ci/run --all`` for all.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cxrbench.config import BACKBONES
from cxrbench.models.classifier import build_classifier
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.study import make_plan, prepare_study
from cxrbench.training import STATE_FILE
from cxrbench.training.losses import masked_loss
from family_chain import CASES, ONE_OF_EACH_KIND, prepared, run_chain, settings_of, trained
from fitting import fit, losses
from tiny_networks import FAMILIES, HEADS, tiny_approach

EPOCHS = 20
"""Enough for each tiny network to tell a bright half."""
NEEDED = ("nncf", "onnx", "onnxscript", "onnxruntime", "openvino")


def drawn(approach, *, count=4):
    size = approach.input.image_size
    film = torch.rand(count, 1, size, size)
    return film, torch.rand(count, 3), (torch.rand(count, 3) < 0.5).float()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_reaches_every_weight_that_is_trained(family, head):
    approach = tiny_approach(family, head)
    classifier = build_classifier(approach, findings=3, seed=0, weights=None).train()
    film, features, targets = drawn(approach)
    trained_ones = {name: value for name, value in classifier.named_parameters() if value.requires_grad}
    before = {name: value.clone() for name, value in trained_ones.items()}
    optimiser = torch.optim.Adam(trained_ones.values(), lr=1e-3)
    losses = []
    for _ in range(2):
        loss = masked_loss(classifier(film, features), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(value.grad is not None for value in trained_ones.values())  # several devices wait for all gradients
    assert all(value.isfinite().all() for value in trained_ones.values())
    assert np.isfinite(losses).all()
    moved = [name for name, value in trained_ones.items() if not torch.equal(before[name], value)]
    assert len(moved) > 0.9 * len(trained_ones)  # a bias before a softmax has no gradient


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_go_into_a_file_and_back(family, head):
    approach = tiny_approach(family, head)
    one, other = (build_classifier(approach, findings=3, seed=seed, weights=None).eval() for seed in (0, 1))
    other.load_state_dict(load(save({name: value.contiguous() for name, value in one.state_dict().items()})))
    film, features, _ = drawn(approach, count=2)
    with torch.inference_mode():
        assert torch.equal(one(film, features), other(film, features))


@pytest.fixture(scope="module")
def materials(make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    films = make_archive(folder / "films", patients=12, side=64)
    return prepare_study(settings_of(CASES, folder, data=films, epochs=2))


@pytest.mark.parametrize(("family", "head"), CASES)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(materials, tmp_path, family, head):
    [config] = [task.config for task in make_plan(materials).to_do if task.config.approach.name == f"{family}-{head}"]

    def stop(step):
        if step.epoch == 1:
            raise KeyboardInterrupt

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    fit(config, whole, materials)
    with pytest.raises(KeyboardInterrupt):
        fit(config, stopped, materials, report=stop)
    assert (stopped / STATE_FILE).exists()
    fit(config, stopped, materials)
    assert (stopped / WEIGHTS_FILE).read_bytes() == (whole / WEIGHTS_FILE).read_bytes()
    assert np.array_equal(losses(stopped), losses(whole))


def check_chain(cases, folder, **size):
    if absent := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(absent)}: pip install 'cxrbench[export]'")
    study = trained(prepared(cases, folder, **size))
    for family, head in cases:
        found = run_chain(study, f"{family}-{head}", folder / f"chain-{family}-{head}")
        assert found.predicted < 1e-5
        assert found.onnx < 1e-4
        assert found.openvino < 1e-4
        assert found.auc > 0.9  # bright halves are easy; an AUC at chance would say nothing of the export
        assert found.int8_auc == pytest.approx(found.auc, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("case", ONE_OF_EACH_KIND, ids="-".join)
def test_from_films_to_exports(case, tmp_path):
    check_chain([case], tmp_path, patients=30, epochs=EPOCHS)


@pytest.mark.slow
@pytest.mark.every_family
@pytest.mark.parametrize("case", [case for case in CASES if case not in ONE_OF_EACH_KIND], ids="-".join)
def test_from_films_to_exports_for_every_family(case, tmp_path):
    check_chain([case], tmp_path, patients=30, epochs=EPOCHS)


def test_every_registered_backbone_and_head_has_its_tests():
    """``module`` has its own, as the user brings the network."""
    assert {next(iter(backbone)) for backbone, _ in FAMILIES.values()} | {"module"} == set(BACKBONES.names)
    assert {head for _, head in CASES} == set(HEADS)
