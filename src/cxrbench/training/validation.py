"""How good a network is on the validation part: its loss, and its mean area under the ROC curve."""

import numpy as np
import torch
from torch import Tensor

from cxrbench.stats.roc import auc
from cxrbench.training.fit import Fit
from cxrbench.training.history import Verdict
from cxrbench.training.inference import scorer


def validate(fit: Fit) -> Verdict:
    """Judge the network that would be kept."""
    # Gloo cannot send tensors made in inference mode.
    without_gradients = torch.inference_mode if fit.sharing.devices == 1 else torch.no_grad
    score, loss_of = scorer(fit.judged.eval(), fit.config.approach), fit.loss.eval()
    logits: list[Tensor] = []
    labels: list[Tensor] = []
    with without_gradients():
        sums = torch.zeros(2, dtype=torch.float64, device=fit.device)  # of losses, of stated labels
        for film, features, targets in fit.validation_batches():
            stated = (~targets.isnan()).sum()
            with fit.compute.autocast():
                scores = score(film, features)
                loss = loss_of(scores, targets)
            sums += torch.stack([loss * stated, stated])
            logits.append(scores.float())
            labels.append(targets)
        total, stated_labels = over_devices(sums, fit.sharing.devices).tolist()
    both = _of_all_devices(np.stack([_joined(logits), _joined(labels)]), fit.sharing.devices)
    return Verdict(loss=float(total / max(stated_labels, 1.0)), auc=mean_auc(*both))


def mean_auc(scores: np.ndarray, targets: np.ndarray) -> float | None:
    """Return the mean over the findings that are both present and absent; None where there is none.

    Args:
        scores: (N, L); where one is not finite, there is no mean.
        targets: (N, L) of 1 present, 0 absent, NaN not stated.
    """
    if not np.isfinite(scores).all():
        return None
    found = [
        auc(own[stated], truth[stated] == 1)
        for own, truth in zip(scores.T, targets.T, strict=True)
        if len(np.unique(truth[stated := ~np.isnan(truth)])) == 2
    ]
    return float(np.mean(found)) if found else None


def over_devices(values: Tensor, devices: int) -> Tensor:
    """Return the sum over the devices."""
    if devices > 1:
        torch.distributed.all_reduce(values)
    return values


def _joined(batches: list[Tensor]) -> np.ndarray:
    joined: np.ndarray = torch.cat(batches).cpu().numpy()
    return joined


def _of_all_devices(values: np.ndarray, devices: int) -> np.ndarray:
    """Return (2, N, L) of the whole part, of the pieces (2, n, L) that each device judged."""
    if devices == 1:
        return values
    pieces: list[np.ndarray] = [values] * devices
    torch.distributed.all_gather_object(pieces, values)
    return np.concatenate(pieces, axis=1)
