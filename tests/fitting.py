"""Making one run of a small study, for the tests of training."""

import polars as pl

from cxrbench.config import with_changes
from cxrbench.runs import HISTORY_FILE, predictions_file
from cxrbench.training import fit_run


def fit(config, folder, materials, *, weights=None, **options):
    folder.mkdir(exist_ok=True)
    fit_run(
        config,
        folder,
        table=materials.table,
        store=materials.store,
        split=materials.splits[0],
        weights=weights,
        **options,
    )
    return folder


def changed(config, **recipe):
    approach = with_changes(config.approach, {f"recipe.{name}": value for name, value in recipe.items()})
    return config.model_copy(update={"approach": approach})


def logits(folder, part="test"):
    return pl.read_parquet(folder / predictions_file(part)).drop("image_id", "patient_id").to_numpy()


def losses(folder):
    return pl.read_csv(folder / HISTORY_FILE).select("train_loss", "val_loss").to_numpy()
