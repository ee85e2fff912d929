"""Does an exported network tell findings as well as its run did? On the run's own test films."""

import numpy as np

from cxrbench.errors import BundleError
from cxrbench.evaluate.columns import known
from cxrbench.export.own_films import OwnFilms
from cxrbench.export.parity import Network
from cxrbench.predict.exported import TOLERANCE, AucLoss, AucParity
from cxrbench.stats.clustered import auc_difference
from cxrbench.stats.joint import JointAucs, Numbers, joint_aucs
from cxrbench.stats.roc import auc
from cxrbench.stats.sorting import Floats

BOUND = 1e-3
"""Largest difference of an AUC, beside what near ties explain: on few films one exchanged pair is more than this."""


def measure_aucs(
    own: OwnFilms, exported: Network, *, has_preprocessing: bool, findings: tuple[str, ...]
) -> tuple[tuple[AucParity, ...], AucLoss]:
    """Compare an exported network with its run, on the run's test films.

    Args:
        own: The member's films.
        exported: Its exported network.
        has_preprocessing: Whether it takes films' squares.
        findings: The outputs' names.

    Returns:
        Both AUCs of every finding that is both present and absent, and how much lower their mean is.
    """
    found = own.test_logits(exported, has_preprocessing=has_preprocessing)
    truth = own.told.test.labels[:, own.columns(findings)].astype(np.float64)
    logits = own.run_logits(findings)
    joint = joint_aucs(np.concatenate([logits, found], axis=1), truth, own.told.test.codes)  # (N, 2 L)
    each = tuple(
        _compared(joint, column, finding, logits[:, column], truth[:, column])
        for column, finding in enumerate(findings)
        if not np.isnan(joint.auc[column])
    )
    return each, _mean_loss(joint, findings, own.told.test.pathologies)


def _compared(joint: JointAucs, column: int, finding: str, logits: Floats, truth: Numbers) -> AucParity:
    """One finding, with the run's logits (N,) of it; the export's columns follow the run's."""
    theirs, is_stated = column + len(joint.auc) // 2, ~np.isnan(truth)
    loss = auc_difference(joint, column, theirs)
    return AucParity(
        finding=finding,
        images=int(is_stated.sum()),
        torch=float(joint.auc[column]),
        exported=float(joint.auc[theirs]),
        loss_lower=known(loss.lower),
        loss_upper=known(loss.upper),
        near_ties=_near_ties(logits[is_stated].astype(np.float64), truth[is_stated]),
    )


def _near_ties(logits: Numbers, truth: Numbers) -> float:
    """Share of pairs (present, absent) that logits may exchange which agree with these to ``TOLERANCE``."""
    towards = np.where(truth == 1, 1, -1) * TOLERANCE * np.maximum(np.abs(logits), 1)
    return auc(logits + towards, truth) - auc(logits - towards, truth)


def _mean_loss(joint: JointAucs, findings: tuple[str, ...], pathologies: tuple[str, ...]) -> AucLoss:
    """The loss of the mean AUC over the pathologies that have the patients for an interval."""
    columns = {name: findings.index(name) for name in pathologies}
    counted = [name for name, k in columns.items() if not np.isnan(auc_difference(joint, k, k + len(findings)).upper)]
    if not counted:
        return AucLoss(findings=(), loss=None, lower=None, upper=None)
    ours = [columns[name] for name in counted]
    loss = auc_difference(joint, ours, [k + len(findings) for k in ours])
    return AucLoss(findings=tuple(counted), loss=known(loss.estimate), lower=known(loss.lower), upper=known(loss.upper))


def check_same(aucs: tuple[AucParity, ...], split: str) -> None:
    """Refuse an export in full precision whose AUC of a finding is another one.

    Raises:
        BundleError: It differs by more than ``BOUND`` and what near ties explain.
    """
    for one in aucs:
        if abs(one.torch - one.exported) > BOUND + one.near_ties:
            raise BundleError(
                f"the exported network's AUC of {one.finding} on {split} is {one.exported:.4f}, its run's "
                f"{one.torch:.4f}, more than {BOUND + one.near_ties:.2g} apart: not exported"
            )


def check_loss(loss: AucLoss, split: str, *, bound: float) -> None:
    """Refuse a quantised network unless its loss of the mean AUC is shown to be small.

    What must lie within the bound is the upper end of the interval: few test patients show nothing, and where there is
    no interval the loss may be anything up to 1.

    Raises:
        BundleError: It does not, or there is no interval.
    """
    if loss.upper is None and bound < 1:
        raise BundleError(f"{split}: no finding has the test patients to show what int8 costs: not exported")
    if loss.upper is not None and not loss.upper <= bound:
        raise BundleError(
            f"int8 may cost {loss.upper:.4f} of the mean AUC over {len(loss.findings)} findings on {split} (loss "
            f"{loss.loss:.4f}, 95 % interval {loss.lower:.4f} to {loss.upper:.4f}), more than --max-auc-loss "
            f"{bound:g}: not exported"
        )
