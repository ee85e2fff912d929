"""Evaluating and comparing files of predictions, of any model of anyone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.errors import DataError
from cxrbench.evaluate import comparison, discrimination, groups, ranks
from cxrbench.evaluate.calibration import AS_THEY_ARE
from cxrbench.evaluate.ensembles import OF_PROBABILITIES, RANK, ensemble_name, ensemble_of
from cxrbench.evaluate.evaluation import Evaluation, require_ours, write_evaluation
from cxrbench.evaluate.held_out import HeldOut, Scores
from cxrbench.evaluate.matching import Predictions, named_apart, read_predictions
from cxrbench.evaluate.probabilities import run_probabilities, summary_tables
from cxrbench.evaluate.replicates import averaged
from cxrbench.evaluate.truth import (
    GIVEN,
    Labels,
    held_out,
    matched_images,
    read_labels,
    require_same_labels,
    require_untrained,
)
from cxrbench.runs import RunName
from cxrbench.stats.bootstrap import Resamples, resample_patients

REPLICATES = 2000
"""Replicates of the patient bootstrap."""


def evaluate_files(
    predictions: Path,
    labels: Path,
    out: Path,
    *,
    table_format: Path | None = None,
    trained_on: Path | None = None,
    vocabulary: Vocabulary | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Measure one model: AUCs by group and finding with intervals for new patients, and gaps between groups.

    Args:
        predictions: CSV or Parquet: a column of image names, a probability column per finding.
        labels: The release's label file, or a study's ``table.parquet``.
        out: Folder of the results; must be absent, empty, or hold earlier results of this command.
        table_format: YAML that names the columns of a label file that is not NIH's.
        trained_on: Names of the images or patients that the model was trained on, one a line.
        vocabulary: Findings to read; unless given, those of the format, and of a ``table.parquet`` its own.
        replicates: Replicates of the patient bootstrap for measures of the probabilities; 0 for no intervals of these.
        seed: Seed of the patient bootstrap.

    Raises:
        DataError: One line that says what is wrong with which file, where, and what to do.
    """
    return compare_files(
        [predictions],
        labels,
        out,
        table_format=table_format,
        trained_on=trained_on,
        vocabulary=vocabulary,
        replicates=replicates,
        seed=seed,
    )


def compare_files(  # noqa: PLR0913 - the options of one command
    predictions: Sequence[Path],
    labels: Path,
    out: Path,
    *,
    table_format: Path | None = None,
    trained_on: Path | None = None,
    vocabulary: Vocabulary | None = None,
    adjustment: str = comparison.HOLM,
    ensemble: str | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Measure models on the images that all of them have, and compare them pair by pair.

    Args:
        predictions: One file per model, as for ``evaluate_files``.
        labels: As for ``evaluate_files``.
        out: As for ``evaluate_files``.
        table_format: As for ``evaluate_files``.
        trained_on: As for ``evaluate_files``.
        vocabulary: Findings to read; unless given, those of the format, and of a ``table.parquet`` its own.
        adjustment: How p-values allow for the number of comparisons: ``holm``, ``bh`` (Benjamini and Hochberg) or
            ``max-t`` (from the joint covariance).
        ensemble: Also measure all of them as one model: the mean of their ``probability`` or of their ``rank`` within
            these images. So are seeds, approaches, or re-samples with the same test part put together.
        replicates: Replicates of the patient bootstrap for measures of the probabilities; 0 for no intervals of these.
        seed: Seed of the patient bootstrap.

    Raises:
        DataError: As for ``evaluate_files``; or the models share no image or no finding, or the adjustment or
            the ensemble is unknown.
    """
    if adjustment not in (valid := (*comparison.ADJUSTMENTS, comparison.MAX_T)):
        raise DataError(f"unknown adjustment {adjustment!r}; valid: {', '.join(valid)}")
    if ensemble is not None and ensemble not in OF_PROBABILITIES:
        raise DataError(f"unknown ensemble {ensemble!r}; valid: {', '.join(OF_PROBABILITIES)}")
    require_ours(out)
    if twice := [path for path in predictions if [other.resolve() for other in predictions].count(path.resolve()) > 1]:
        raise DataError(f"{twice[0]} is given twice; a model is compared with others")
    truth_file = read_labels(labels, table_format=table_format, vocabulary=vocabulary)
    models = named_apart([read_predictions(path, vocabulary=truth_file.vocabulary) for path in predictions])
    scores = {name: _with_own_names(model, truth_file) for name, model in models.items()}
    truth = _common(scores, models, truth_file)
    if trained_on is not None:
        require_untrained(truth, truth_file, trained_on)
    resamples = resample_patients(truth.codes, replicates=replicates, seed=seed) if replicates else None
    in_order = [_in_order(frame, name, truth) for name, frame in scores.items()]
    if ensemble is not None:
        in_order.append(ensemble_of(in_order, ensemble))
    result = Evaluation(
        folder=out,
        matched={name: model.matched for name, model in models.items()},
        ignored={name: model.ignored for name, model in models.items()},
        dropped={name: frame.height - truth.images.height for name, frame in scores.items()},
        images=truth.images.height,
        patients=truth.images["patient_id"].n_unique(),
        vocabulary=truth.vocabulary,
        tables=_tables(truth, in_order, resamples, adjustment),
        adjustment=adjustment,
        ensemble=ensemble,
    )
    write_evaluation(result, labels)
    return result


def _with_own_names(model: Predictions, labels: Labels) -> pl.DataFrame:
    """Return a model's scores under the labels' own image names."""
    require_same_labels(model, labels)
    return model.scores.with_columns(matched_images(model, labels))


def _common(scores: Mapping[str, pl.DataFrame], models: Mapping[str, Predictions], labels: Labels) -> HeldOut:
    """Return the images and findings that all models have."""
    ids = [set(frame["image_id"]) for frame in scores.values()]
    images = set.intersection(*ids)
    if not images:
        raise DataError(f"no image is in all of {', '.join(models)}; there is nothing to compare them on")
    shared = [name for name in labels.findings if all(name in model.findings for model in models.values())]
    if not shared:
        raise DataError(f"no finding is in all of {', '.join(models)}; there is nothing to compare them on")
    return held_out(labels, pl.Series(sorted(images)), shared)


def _in_order(frame: pl.DataFrame, name: str, truth: HeldOut) -> Scores:
    """Return a model's scores of the common images and findings, in their order."""
    rows = truth.images.select("image_id").join(frame, on="image_id", maintain_order="left")
    return Scores(RunName(name, GIVEN, 0), rows.select(truth.findings).to_numpy())


def _tables(
    truth: HeldOut, scores: Sequence[Scores], resamples: Resamples | None, adjustment: str
) -> dict[str, pl.DataFrame]:
    """Return the result tables; columns as for a study."""
    masks = groups.group_rows(truth.images)
    counts = discrimination.count_table(truth, masks)
    pairs = groups.group_pairs(truth.images)
    worth = [
        run_probabilities(truth, one.run, {AS_THEY_ARE: one.logits}, resamples)
        for one in scores
        if one.run.approach != ensemble_name(RANK)  # whose scores are no probabilities
    ]
    by_model = [
        {
            "auc": discrimination.auc_table(truth, one.run.approach, aucs, counts),
            "gaps": groups.gap_table(truth, one.run.approach, aucs, pairs),
        }
        for one in scores
        for aucs in [discrimination.grouped_aucs(truth, [one], masks)]
    ]
    tables = {key: pl.concat(own[key] for own in by_model) for key in by_model[0]}
    tables |= {key: pl.concat(own.tables[key] for own in worth) for key in worth[0].tables}
    tables |= summary_tables(averaged(own.measures for own in worth))
    tables["auc_summary"] = discrimination.auc_summary(tables["auc"])
    tables["roc"] = discrimination.mean_curves(discrimination.roc_table(truth, scores))
    tables["standing"] = ranks.standing_table(tables["auc"], truth.pathologies)
    if len(scores) > 1:
        tables["comparison"] = comparison.paired_comparisons(truth, scores, adjustment=adjustment)
        tables["rank_correlation"] = ranks.rank_table([ranks.rank_measures(truth, scores, resamples)])
    return tables
