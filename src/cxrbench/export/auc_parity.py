"""Does an exported network tell findings as well as its run did? On the run's own test films."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench import runs as names
from cxrbench.bundle import Member
from cxrbench.data.store import Store, open_store
from cxrbench.errors import BundleError
from cxrbench.evaluate.reading import HeldOut, read_config, read_split_runs, read_splits, read_table, readable
from cxrbench.export.parity import Network, Samples
from cxrbench.predict.exported import AucParity
from cxrbench.runs import RunName
from cxrbench.stats.roc import auc

BOUND = 1e-3
"""Largest difference of an AUC; logits that agree to 1e-4 exchange only images that are all but tied."""
BATCH = 32


def check_auc(
    study: Path, member: Member, exported: Network, *, has_preprocessing: bool, findings: tuple[str, ...]
) -> tuple[AucParity, ...]:
    """Compare the export's AUC of each finding with that of the run's predictions.

    Args:
        study: The study that the member's run belongs to; its store must be at hand.
        member: Of the bundle.
        exported: Its exported network.
        has_preprocessing: Whether it takes films' squares.
        findings: The outputs' names.

    Raises:
        BundleError: The study has another run of that name, or an AUC differs by more than ``BOUND``.
        StudyError: A file of the study cannot be used.
    """
    run = RunName(member.run.approach, member.run.split, member.run.seed)
    if read_config(study, run)["hash"] != member.run.hash:
        raise BundleError(f"{study}: its run {run} is not the one that the bundle was made from; give --study its own")
    table = read_table(study)
    told = read_split_runs(study, table, read_splits(study, [run.split])[run.split], [run])
    found = _logits(_store(study), member, exported, told.test.images, has_preprocessing=has_preprocessing)
    expected = told.scores[0].logits[:, [told.test.findings.index(finding) for finding in findings]]
    return _compared(told.test, expected, found, findings)


def _store(study: Path) -> Store:
    path = study / names.STUDY_FILE
    with readable(path):
        elsewhere = json.loads(path.read_text(encoding="utf-8"))["settings"].get("store")
    return open_store(Path(elsewhere or study / "store"))


def _logits(
    store: Store, member: Member, exported: Network, images: pl.DataFrame, *, has_preprocessing: bool
) -> NDArray[np.float32]:
    """The export's logits (N, L) of a study's images."""
    pixels, rows = store.pixels(member.approach.input.store_size), store.rows(images["image_id"])
    batches = (slice(start, start + BATCH) for start in range(0, len(rows), BATCH))
    samples = (Samples(pixels[rows[batch]], images[batch]) for batch in batches)
    return np.concatenate([exported(*each.for_export(member, has_preprocessing=has_preprocessing)) for each in samples])


def _compared(
    test: HeldOut, expected: NDArray[np.float32], found: NDArray[np.float32], findings: tuple[str, ...]
) -> tuple[AucParity, ...]:
    """Both AUCs of every finding that is both present and absent."""
    compared = []
    for i, finding in enumerate(findings):
        labels = test.labels[:, test.findings.index(finding)]
        is_stated = labels >= 0
        present = labels[is_stated] == 1
        if present.all() or not present.any():
            continue
        own, theirs = auc(expected[is_stated, i], present), auc(found[is_stated, i], present)
        compared.append(AucParity(finding=finding, images=len(present), torch=own, exported=theirs))
        if abs(own - theirs) > BOUND:
            raise BundleError(
                f"the exported network's AUC of {finding} on {test.split} is {theirs:.4f}, its run's {own:.4f}, more "
                f"than {BOUND:g} apart: not exported"
            )
    return tuple(compared)
