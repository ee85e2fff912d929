"""What is done before Lightning trains."""

from types import SimpleNamespace

import pytest
import torch

from cxrbench.training import ignore_steps
from cxrbench.training import trainer as trainer_module
from cxrbench.training.trainer import train


class BegunError(Exception):
    """Training would begin now."""


@pytest.mark.parametrize(("mode", "expected"), [("reduce-overhead", ["forget", "compile reduce-overhead"]), (None, [])])
def test_each_network_is_compiled_as_if_it_were_the_first(monkeypatch, mode, expected):
    done = []

    def begin(**_options):
        raise BegunError

    monkeypatch.setattr(torch.compiler, "reset", lambda: done.append("forget"))
    monkeypatch.setattr(trainer_module.lightning, "Trainer", begin)
    fit = SimpleNamespace(
        classifier=SimpleNamespace(compile=lambda mode: done.append(f"compile {mode}")),
        compute=SimpleNamespace(compile=mode, device="cpu", devices=1, lightning_precision="32-true", accumulate=1),
        recipe=SimpleNamespace(epochs=1),
        state=SimpleNamespace(epochs_done=0),
    )
    with pytest.raises(BegunError):
        train(fit, ignore_steps)
    assert done == expected
