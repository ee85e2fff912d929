"""Subcommands about studies."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxrbench.cli.options import AllowMissing, Format, Labels, On, RunsAtATime, Study, VocabularyName
from cxrbench.cli.stopping import stoppable
from cxrbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cxrbench.config import StudySettings

FAILED_RUNS = 1


def run(
    study_file: Annotated[
        str | None, typer.Argument(help="YAML of a study, or a packaged one: paper; options override its fields.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the archive.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study.")] = None,
    labels: Labels = None,
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the store (default: inside the study).")] = None,
    approach: Annotated[list[str] | None, typer.Option(help="Only this approach; may be repeated.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split, by name; may be repeated.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the runs; may be repeated.")] = None,
    resamples: Annotated[int | None, typer.Option(min=0, help="Random re-samples by patient (default: 5).")] = None,
    folds: Annotated[int | None, typer.Option(min=0, help="Cross-validation folds by patient (default: none).")] = None,
    official: Annotated[bool | None, typer.Option("--official/--no-official", help="Also the release's lists.")] = None,
    split_seed: Annotated[int | None, typer.Option(help="Seed of the splits.")] = None,
    profile: Annotated[str | None, typer.Option(help="Size of everything: paper or small.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="In place of the approaches' hub weights: a .safetensors or .pth file, or 'stand-in'."),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", help="A value in every approach, as in recipe.halve_after=3; may be repeated."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs at most, for all approaches.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Batch size, for all approaches.")] = None,
    allow_missing: AllowMissing = False,
    workers: RunsAtATime = None,
    on: On = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="Cores of each run on a cluster (default: 1).")] = None,
    gpus: Annotated[
        float | None,
        typer.Option(min=0, help="GPUs of each run on a cluster, or a fraction of one (default: 1 if any)."),
    ] = None,
    memory_gb: Annotated[float | None, typer.Option(min=0, help="Memory of each run on a cluster.")] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="URL (s3://...) through which the cluster's nodes get the study (default: they see it)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Train approaches x splits, evaluate, compare and report; started again, it goes on where it stopped."""
    from cxrbench import config

    changes = _given(
        data=data, out=out, labels=labels, table_format=table_format, store=store, approaches=approach, seeds=seed,
        profile=profile, weights=weights, vocabulary=vocabulary, workers=workers, allow_missing=allow_missing or None,
        splits=_given(resamples=resamples, folds=folds, official=official, seed=split_seed),
        overrides=_overrides(override or []) | _given(**{"recipe.epochs": epochs, "recipe.batch_size": batch_size}),
        cluster=_given(address=on, cpus=cpus, gpus=gpus, memory_gb=memory_gb, storage=storage),
    )  # fmt: skip
    if study_file is not None:
        settings = config.load_study(study_file, changes)
    else:
        settings = config.parse_settings(changes, config.StudySettings, where="command line")
    _run_study(settings, only_splits=split or [], is_dry=dry_run)


def _overrides(given: list[str]) -> dict[str, Any]:
    """Read ``path=value`` options; values are YAML."""
    import yaml

    pairs = [each.partition("=") for each in given]
    if wrong := [each for each, (path, sign, _) in zip(given, pairs, strict=True) if not (path and sign)]:
        raise ConfigError(f"--set {wrong[0]}: expected PATH=VALUE, such as recipe.epochs=3")
    try:
        return {path: yaml.safe_load(value) for path, _, value in pairs}
    except yaml.YAMLError as error:
        raise ConfigError(f"--set: a value is no YAML ({' '.join(str(error).split())[:80]})") from None


def _given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _run_study(settings: "StudySettings", *, only_splits: list[str], is_dry: bool = False) -> None:
    from cxrbench import study
    from cxrbench.study.preparation import locked
    from cxrbench.terminal import StudyBars, shown_progress

    study.require_known("split", only_splits, settings.splits.names)
    with stoppable("the same command goes on from here"), locked(settings.out):
        with shown_progress() as track:
            materials = study.prepare_study(settings, track=track)
        for note in materials.notes:
            print(f"note: {note}")
        plan = study.make_plan(materials, only_splits=only_splits)
        print(study.describe_plan(plan, settings.out, workers=settings.workers or 1))
        if is_dry:
            return
        with StudyBars(plan) as bars:
            outcomes = [
                bars.finished(outcome)
                for outcome in study.carry_out(
                    plan, workers=settings.workers, cluster=settings.cluster, begin=bars.begin
                )
            ]
        failures = [outcome for outcome in outcomes if outcome.failure]
        if plan.done or len(failures) < len(outcomes):
            _write_report(settings.out)
    for outcome in failures:
        print(f"failed: {outcome.name}: {outcome.failure}", file=sys.stderr)
    if failures:
        sys.exit(FAILED_RUNS)


def _write_report(folder: Path) -> None:
    from cxrbench.evaluate import evaluate_study
    from cxrbench.report import write_report
    from cxrbench.terminal import shown_progress

    with shown_progress() as track:
        evaluate_study(folder, track=track)
    print(f"report: {write_report(folder)}")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for films, study and report.")] = Path("cxrbench-demo"),
    workers: RunsAtATime = None,
    on: On = None,
) -> None:
    """The main job on generated films, within minutes on two cores; it claims no accuracy."""
    from cxrbench.config import StudySettings, parse_settings
    from cxrbench.demo import demo_settings, generate_films
    from cxrbench.environment import usable_cores
    from cxrbench.terminal import shown_progress

    with shown_progress() as track:
        generate_films(out, workers=usable_cores(), track=track)
    engine = {"workers": workers, "cluster": {"address": on}}
    settings = demo_settings(out).model_dump(mode="json") | engine
    _run_study(parse_settings(settings, StudySettings, where="demo"), only_splits=[])


def report(study: Study) -> None:
    """Rebuild results and report from predictions alone; needs no torch."""
    say_origin(study)
    _write_report(study)


def say_origin(study: Path) -> None:
    """Say so where version 0.1 began a study."""
    from cxrbench.runs import STUDY_FILE, origin_note, read_study_record

    note = origin_note(read_study_record(study)) if (study / STUDY_FILE).exists() else None
    if note:
        print(f"note: {note}", file=sys.stderr)


def splits(study: Study) -> None:
    """Count patients, images and images per finding in each part of each split."""
    import polars as pl

    from cxrbench.runs import SPLITS_FOLDER, TABLE_FILE
    from cxrbench.splits import describe_split, read_split
    from cxrbench.terminal import show_table

    paths = sorted((study / SPLITS_FOLDER).glob("*.json"))
    if not paths:
        raise DataError(f"{study / SPLITS_FOLDER}: no splits there; is {study} the folder of a study?")
    table = pl.read_parquet(study / TABLE_FILE)
    for path in paths:
        split = read_split(path)
        counts = describe_split(split, table)
        print(f"{split.name} ({split.kind})")
        show_table(counts)


COMMANDS = (demo, run, report, splits)
