"""AUCs and differences of scores at hand: arrays, frames of polars or pandas, or files. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from cxrbench.evaluate import comparison, discrimination
from cxrbench.evaluate.columns import ALL, MEAN
from cxrbench.evaluate.truth import Labels
from cxrbench.files import atomic_file
from cxrbench.interface.conversion import Given, Patients, measured_images, scores_of
from cxrbench.interface.labels import labels_of

AUC_COLUMNS = ("finding", "images", "positives", "positive_patients", "auc", "std_error", "lower", "upper", "inflation")
DIFFERENCE_COLUMNS = ("finding", "difference", "std_error", "lower", "upper", "p_value", "p_adjusted")
DIGITS = 3


@dataclass(frozen=True)
class Picture:
    """A figure; a notebook shows it.

    Attributes:
        svg: SVG document.
    """

    svg: str

    def save(self, path: str | Path) -> Path:
        """Write the figure as an SVG file and return its path."""
        with atomic_file(Path(path)) as scratch:
            scratch.write_text(self.svg, encoding="utf-8")
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class ModelResults:
    """AUCs of models on the same images, and their differences.

    Attributes:
        auc: One row per model and finding, with the 95 % interval for new patients; null where there is none.
        differences: One row per pair of models and finding, ``model_a`` minus ``model_b``; empty for one model.
        images: Number of images that all models have.
        patients: Number of their patients.
    """

    auc: pl.DataFrame
    differences: pl.DataFrame
    images: int
    patients: int

    def plot(self, finding: str | None = None) -> Picture:
        """Draw the differences with their intervals.

        Args:
            finding: Finding to draw; the mean, or the only finding, unless given.

        Raises:
            ValueError: There is one model alone, or no such finding.
        """
        from cxrbench.report.forest import Difference, forest_figure  # noqa: PLC0415 - matplotlib is slow to import

        known = self.auc["finding"].unique(maintain_order=True).to_list()
        finding = finding or known[-1]
        if not self.differences.height:
            raise ValueError("one model has no differences to draw; compare two or more")
        if finding not in known:
            raise ValueError(f"no finding {finding!r}; there are {', '.join(known)}")
        rows = [
            Difference(
                label=f"{row['model_a']} - {row['model_b']}",
                value=row["difference"],
                lower=row["lower"],
                upper=row["upper"],
                p_adjusted=row["p_adjusted"],
            )
            for row in self.differences.filter(finding=finding).iter_rows(named=True)
        ]
        return Picture(forest_figure(rows, "differences", axis=f"Difference of AUC, {finding}").document)

    def _repr_html_(self) -> str:
        parts = [f"<p>{self.images:,} images of {self.patients:,} patients; 95 % intervals for new patients.</p>"]
        return "".join([*parts, *(html_table(table) for table in (self.auc, self.differences) if table.height)])


def auc(
    present: Given, scores: Given, patients: Patients = None, *, findings: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return the AUC of each finding, with an interval that knows which images show the same patient.

    Args:
        present: (N,) or (N, L) truth: 1 present, 0 absent, NaN or None not stated.
        scores: (N,) or (N, L) in any unit; higher means more likely present.
        patients: (N,) patient of each image. Unless given, each image counts as a patient of its own, and intervals
            are too narrow where patients have several.
        findings: Names of the L findings.

    Returns:
        One row per finding, and one for the mean of several: ``auc``, its 95 % interval ``lower`` to ``upper``, and a
        ``reason`` where there is none.

    Raises:
        ValueError: Shapes do not fit, a score is no number, or a label is neither 0, 1 nor NaN.

    Source: doi:10.2307/2533958.

    Example:
        >>> present = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
        >>> scores = [0.9, 0.8, 0.7, 0.6, 0.4, 0.5, 0.3, 0.3, 0.2, 0.1]
        >>> round(auc(present, scores)["auc"].item(), 2)
        0.96
    """
    return evaluate(scores, labels=present, patients=patients, findings=findings).auc.drop("model")


def evaluate(
    scores: Given,
    *,
    labels: Given | Labels,
    patients: Patients = None,
    findings: Sequence[str] | None = None,
    name: str = "model",
) -> ModelResults:
    """Measure one model: the AUC of each finding with its interval for new patients.

    Args:
        scores: As for ``compare``.
        labels: As for ``compare``.
        patients: As for ``compare``.
        findings: As for ``compare``.
        name: Name of the model.

    Raises:
        DataError: As for ``compare``.
        ValueError: As for ``compare``.

    Example:
        >>> import polars as pl
        >>> labels = pl.DataFrame({"image_id": ["a.png", "b.png", "c.png"], "Mass": [1, 0, 0]})
        >>> scores = pl.DataFrame({"image": ["c.png", "b.png", "a.png"], "Mass": [0.1, 0.4, 0.3]})
        >>> evaluate(scores, labels=labels).auc.select("auc", "reason").row(0)
        (0.5, '1 positive patient; an interval needs 5')
    """
    return _measured({name: scores}, labels_of(labels, patients, findings), comparison.HOLM)


def compare(
    models: Mapping[str, Given],
    *,
    labels: Given | Labels,
    patients: Patients = None,
    findings: Sequence[str] | None = None,
    adjustment: str = comparison.HOLM,
) -> ModelResults:
    """Compare models pair by pair on the images that all of them have, paired by patient.

    Args:
        models: Name -> scores. An array has a row per row of the labels and a column per finding. A frame has a column
            of image names, or else a row per row of the labels. A file is one that ``cxrbench compare`` reads.
        labels: Truth: an array, a frame, a label file, or what ``read_labels`` returns.
        patients: (N,) patient of each row of the labels, or the name of their column (``patient_id``, where there is
            one). A label file names its own. Unless known, each image counts as a patient of its own.
        findings: Names of the findings: columns of a frame, in the order of an array. Unless given, they are all
            columns of numbers.
        adjustment: Way in which p-values allow for their number: ``holm``, ``bh`` or ``max-t``.

    Raises:
        DataError: A file cannot be used, or the models share no image or no finding.
        ValueError: There are fewer than two models, shapes do not fit, or a value is out of range.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> present = rng.random(200) < 0.3
        >>> good, poor = (present + noise * rng.standard_normal(200) for noise in (0.5, 2.0))
        >>> result = compare({"good": good, "poor": poor}, labels=present, patients=np.arange(200) // 2)
        >>> result.differences.select("model_a", "model_b", pl.col("difference") > 0.1).row(0)
        ('good', 'poor', True)
    """
    if len(models) < 2:
        raise ValueError(f"compare needs two or more models, got {len(models)}; evaluate measures one")
    if adjustment not in (valid := (*comparison.ADJUSTMENTS, comparison.MAX_T)):
        raise ValueError(f"unknown adjustment {adjustment!r}; valid: {', '.join(valid)}")
    return _measured(models, labels_of(labels, patients, findings), adjustment)


def _measured(models: Mapping[str, Given], labels: Labels, adjustment: str) -> ModelResults:
    """Measure models on the images and findings that all of them have."""
    truth, scores = measured_images({name: scores_of(name, given, labels) for name, given in models.items()}, labels)
    everything = {ALL: np.ones(len(truth.labels), dtype=bool)}
    counts = discrimination.count_table(truth, everything)
    tables = [
        discrimination.auc_table(truth, one.run.approach, discrimination.grouped_aucs(truth, [one], everything), counts)
        for one in scores
    ]
    aucs = pl.concat(tables).select(pl.col("approach").alias("model"), *AUC_COLUMNS, "reason")
    compared = comparison.COMPARISON_TABLE.empty()
    if len(scores) > 1:
        compared = turned(comparison.paired_comparisons(truth, scores, adjustment=adjustment), list(models))
    differences = compared.select(
        pl.col("approach_a").alias("model_a"),
        pl.col("approach_b").alias("model_b"),
        *DIFFERENCE_COLUMNS,
        "smallest_detectable",
        "reason",
    )
    if len(truth.findings) == 1:  # whose mean says the same again
        aucs, differences = (table.filter(pl.col("finding") != MEAN) for table in (aucs, differences))
    return ModelResults(aucs, differences, truth.images.height, truth.images["patient_id"].n_unique())


def turned(differences: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Return differences of approaches, the one that comes first in ``order`` minus the other."""
    place = {name: number for number, name in enumerate(order)}
    a, b = (pl.col(side).replace_strict(place, return_dtype=pl.Int64) for side in ("approach_a", "approach_b"))
    others = {
        "approach_a": pl.col("approach_b"),
        "approach_b": pl.col("approach_a"),
        "difference": -pl.col("difference"),
        "lower": -pl.col("upper"),
        "upper": -pl.col("lower"),
    }
    return differences.with_columns(
        pl.when(a > b).then(other).otherwise(pl.col(name)).alias(name) for name, other in others.items()
    )


def html_table(table: pl.DataFrame) -> str:
    """Return all rows of a table for a notebook, its numbers rounded."""
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        return str(table.with_columns(cs.float().round(DIGITS))._repr_html_())
