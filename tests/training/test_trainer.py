"""The training loop against one written out here, and what it leaves of the process's switches."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from cxrbench.config import ComputeSettings, with_changes
from cxrbench.data.delivery import TrainingBatches
from cxrbench.models.classifier import build_classifier
from cxrbench.training import trainer
from cxrbench.training.compute import resolve
from cxrbench.training.parts import make_parts
from cxrbench.training.trainer import reproducible
from fitting import changed, fit, losses


def test_lightning_is_not_imported():
    script = (
        "import sys, cxrbench.training.run; print(sorted({name.partition('.')[0] for name in sys.modules}"
        "& {'lightning', 'lightning_fabric', 'pytorch_lightning', 'torchmetrics'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def naive_losses(config, materials, *, epochs):
    """Training losses by plain Adam and the mean cross-entropy of all labels, which are all stated here."""
    approach = config.approach
    parts, _ = make_parts(config, table=materials.table, store=materials.store, split=materials.splits[0])
    network = build_classifier(approach, findings=len(config.findings), seed=config.seed, weights=None).train()
    adam = torch.optim.Adam(network.parameters(), lr=approach.recipe.learning_rate, betas=approach.recipe.betas)
    means = []
    for epoch in range(epochs):
        found = []
        batches = TrainingBatches(
            part=parts.train,
            augmentation=approach.augmentation,
            batch_size=approach.recipe.batch_size,
            seed=config.seed,
            epoch=epoch,
        )
        for film, features, targets, _ in batches:
            loss = nn.functional.binary_cross_entropy_with_logits(network(film, features), targets)
            adam.zero_grad()
            loss.backward()
            adam.step()
            found.append(loss.item())
        means.append(np.mean(found))
    return means


def test_the_losses_are_those_of_a_loop_written_out(config, materials, tmp_path):
    short = changed(config, epochs=2, learning_rate=1e-3)
    folder = fit(short, tmp_path / "run", materials)
    expected = naive_losses(short, materials, epochs=2)
    np.testing.assert_allclose(losses(folder)[:, 0], expected, rtol=1e-4)
    assert expected[1] < expected[0]


def test_losses_are_looked_at_in_between_too(config, materials, tmp_path, monkeypatch):
    short = changed(config, epochs=1)
    whole = fit(short, tmp_path / "whole", materials)
    monkeypatch.setattr(trainer, "LOSS_CHECK_EVERY", 3)  # of more batches than that, in no whole number of looks
    assert np.array_equal(losses(fit(short, tmp_path / "often", materials)), losses(whole))


def switches():
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        signal.getsignal(signal.SIGTERM),
        signal.getsignal(signal.SIGINT),
    )


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_run_leaves_the_switches_as_they_were(config, materials, tmp_path, is_stopped):
    seen = []

    def look(step):
        seen.append(switches())
        if is_stopped:
            raise KeyboardInterrupt  # a signal would be ignored where a shell runs the tests in the background

    before = switches()
    run = changed(config, epochs=1)
    if is_stopped:
        with pytest.raises(KeyboardInterrupt):
            fit(run, tmp_path / "run", materials, report=look)
    else:
        fit(run, tmp_path / "run", materials, report=look)
    assert switches() == before
    assert {(each[0], each[6]) for each in seen} == {(True, ":4096:8")}


def test_switches_that_were_set_before_are_set_again(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = True
    try:
        before = switches()
        with reproducible():
            assert switches()[:4] == (True, False, False, False)
        assert switches() == before
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False


def test_a_run_trains_where_gradients_are_off(config, materials, tmp_path):
    short = changed(config, epochs=1)
    with torch.no_grad():
        off = fit(short, tmp_path / "off", materials)
    assert np.array_equal(losses(off), losses(fit(short, tmp_path / "on", materials)))


@pytest.mark.parametrize(("mode", "expected"), [("reduce-overhead", ["forget", "compile reduce-overhead"]), (None, [])])
def test_each_network_is_compiled_as_if_it_were_the_first(monkeypatch, mode, expected):
    done = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: done.append("forget"))
    network = nn.Linear(1, 1)
    monkeypatch.setattr(network, "compile", lambda mode: done.append(f"compile {mode}"))
    begun = SimpleNamespace(
        classifier=network, compute=SimpleNamespace(compile=mode, devices=1), config=SimpleNamespace(approach=None)
    )
    trainer.prepare(begun)
    assert done == expected


class Shared(nn.Module):
    """Stands for DistributedDataParallel, which needs a process group."""

    def __init__(self, module, **options):
        super().__init__()
        self.module = module
        self.options = options
        self.calls = []

    def forward(self, *inputs):
        self.calls.append("forward")
        return self.module(*inputs)

    @contextmanager
    def no_sync(self):
        self.calls.append("no sync")
        yield
        self.calls.append("sync")


def test_batch_norm_is_taken_over_all_gpus(config, monkeypatch):
    monkeypatch.setattr(trainer, "DistributedDataParallel", Shared)
    classifier = build_classifier(config.approach, findings=2, seed=0, weights=None)
    classifier.norm_act = timm.layers.BatchNormAct2d(4, act_layer=nn.Tanh)  # as DenseNet has them
    trained = list(classifier.parameters())
    begun = SimpleNamespace(
        classifier=classifier,
        compute=SimpleNamespace(compile=None, devices=2),
        config=config,
        device=torch.device("cuda", 1),
    )
    shared = trainer.prepare(begun)
    norms = [each for each in classifier.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    assert all(isinstance(each, nn.SyncBatchNorm) for each in norms)
    assert isinstance(classifier.norm_act.act, nn.Tanh)
    assert all(one is other for one, other in zip(trained, classifier.parameters(), strict=True))
    assert shared.options["device_ids"] == [1]
    assert False in shared.options.values()  # buffers are not sent around


def test_gradients_are_exchanged_once_a_batch(config, materials, tmp_path, monkeypatch):
    networks = []

    def prepare(begun):
        networks.append(Shared(begun.classifier))
        return networks[0]

    monkeypatch.setattr(trainer, "DistributedDataParallel", Shared)
    monkeypatch.setattr(trainer, "prepare", prepare)
    steps = []
    short, parts = changed(config, epochs=1), ComputeSettings(device_batch=4)
    fit(short, tmp_path / "run", materials, compute=parts, report=steps.append)
    assert resolve(parts, short.approach).accumulate == 4
    a_batch = ["no sync", "forward", "sync"] * 3 + ["forward"]
    assert networks[0].calls == a_batch * len(steps)


def test_bfloat16_is_asked_for_by_the_precision_alone(config):
    single = resolve(ComputeSettings(precision="fp32"), config.approach)
    with single.autocast():
        assert not torch.is_autocast_enabled(single.device)
    with replace(single, precision="bf16").autocast():
        assert torch.is_autocast_enabled(single.device)
        assert torch.get_autocast_dtype(single.device) == torch.bfloat16


def test_dropout_depends_on_seed_and_epoch_alone(config, materials, tmp_path):
    approach = with_changes(config.approach, {"network.head": {"mlp": {"hidden": [16], "dropout": 0.5}}})
    short = changed(config.model_copy(update={"approach": approach}), epochs=2)
    seen = []
    for number in range(2):
        torch.manual_seed(number)
        seen.append(losses(fit(short, tmp_path / str(number), materials)))
    assert np.array_equal(*seen)
