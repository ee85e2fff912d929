"""Subcommands about predictions of any model: measure, compare, what a test set can show."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrbench.cli.options import Format, VocabularyName
from cxrbench.errors import DataError

if TYPE_CHECKING:
    from cxrbench.config import Vocabulary
    from cxrbench.evaluate.evaluation import Evaluation

LabelFile = Annotated[Path, typer.Option("--labels", help="The release's label file, or a study's table.parquet.")]
Results = Annotated[Path, typer.Option("--out", help="Folder of the result tables.")]
TrainedOn = Annotated[
    Path | None, typer.Option(help="Names of the training images, one a line; shared patients are refused.")
]


def evaluate(
    predictions: Annotated[Path, typer.Option(help="CSV or Parquet: image names, a probability column per finding.")],
    labels: LabelFile,
    out: Results,
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    trained_on: TrainedOn = None,
) -> None:
    """Measure one model's predictions: AUCs with intervals for new patients, gaps between groups."""
    from cxrbench.evaluate.predictions import evaluate_files

    _show(
        evaluate_files(
            predictions,
            labels,
            out,
            table_format=table_format,
            trained_on=trained_on,
            vocabulary=_findings(vocabulary),
        )
    )


def compare(
    predictions: Annotated[list[Path], typer.Argument(help="One file per model, two or more.")],
    labels: LabelFile,
    out: Results,
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    trained_on: TrainedOn = None,
    adjust: Annotated[str, typer.Option(help="How p-values allow for their number: holm, bh or max-t.")] = "holm",
    ensemble: Annotated[
        str | None, typer.Option(help="Also all models as one: the mean of their probability, or of their rank.")
    ] = None,
) -> None:
    """Compare models pair by pair on the images that all of them have, patients kept together."""
    if len(predictions) < 2:
        raise DataError(f"{predictions[0]}: one file; `compare` needs two or more, `evaluate` measures one")
    from cxrbench.evaluate.predictions import compare_files

    _show(
        compare_files(
            predictions,
            labels,
            out,
            table_format=table_format,
            trained_on=trained_on,
            vocabulary=_findings(vocabulary),
            adjustment=adjust,
            ensemble=ensemble,
        )
    )


def power(
    labels: LabelFile,
    difference: Annotated[
        float, typer.Option(min=1e-4, max=0.4, help="Difference in AUC that one would like to show.")
    ] = 0.01,
    images: Annotated[Path | None, typer.Option(help="Names of the test images, one a line (default: all).")] = None,
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 0,
) -> None:
    """What a test set can show: smallest detectable differences, and the power for a given one."""
    from cxrbench.evaluate import power as planning
    from cxrbench.terminal import show_table

    show_table(
        planning.power(
            labels,
            difference=difference,
            images=images,
            table_format=table_format,
            vocabulary=_findings(vocabulary),
            seed=seed,
        )
    )


def _findings(name: str | None) -> "Vocabulary | None":
    """The vocabulary that was asked for."""
    from cxrbench.config import load_vocabulary

    return None if name is None else load_vocabulary(name)


def _show(result: "Evaluation") -> None:
    """What was matched, what was left out, the main tables, where the rest is; and draw it."""
    from cxrbench.evaluate.evaluation import shown_tables
    from cxrbench.report.predictions import PAGE_FILE, write_predictions_report
    from cxrbench.terminal import show_table

    write_predictions_report(result)
    for model, columns in result.matched.items():
        renamed = {column: finding for column, finding in columns.items() if column != finding}
        print(f"{model}: {len(columns)} columns matched" + "".join(f"; {a} -> {b}" for a, b in renamed.items()))
        if result.ignored.get(model):
            print(f"{model}: not used: {', '.join(result.ignored[model])}")
    for model, images in result.dropped.items():
        if images:
            print(f"{model}: {images:,} images left out, which another model lacks")
    print(f"{result.images:,} images of {result.patients:,} patients")
    for table in shown_tables(result):
        print(f"\n{table.title}")
        show_table(table.rows)
        print("\n".join(table.notes))
    print(f"\n{result.folder}: {len(result.tables)} tables as CSV, figures, and {PAGE_FILE}")


COMMANDS = (evaluate, compare, power)
