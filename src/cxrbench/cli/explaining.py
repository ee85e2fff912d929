"""Subcommands about what a network looks at, and what is not the image."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrbench.cli.bundles import AllowModule
from cxrbench.cli.options import Study

if TYPE_CHECKING:
    from polars import DataFrame

    from cxrbench.bundle import Bundle
    from cxrbench.explain.explaining import Explaining
    from cxrbench.explain.films import Patient
    from cxrbench.explain.trained import OpenStudy, Trained

Approaches = Annotated[list[str] | None, typer.Option("--approach", help="Only this approach; may be repeated.")]
Splits = Annotated[list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Only runs from this seed; may be repeated.")]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="cam, grad-cam, layer-cam, hires-cam or occlusion; may be repeated (default: cam, or grad-cam where the "
        "network has no cam, and layer-cam).",
    ),
]
Stage = Annotated[
    int | None,
    typer.Option(
        min=1, help="Stage that grad-cam, layer-cam and hires-cam read; 1 is the shallowest (default: each its own)."
    ),
]


def explain(
    folder: Annotated[Path, typer.Argument(help="Folder of a study, or of a bundle.")],
    images: Annotated[list[str], typer.Argument(help="Image files; of a study also names of its images.")],
    approach: Annotated[str | None, typer.Option(help="Whose answer (default: the study's only one).")] = None,
    split: Annotated[str | None, typer.Option(help="Of which split (default: the first it is finished on).")] = None,
    seed: Annotated[int, typer.Option(help="Of the run.")] = 0,
    finding: Annotated[list[str] | None, typer.Option(help="May be repeated (default: the three likeliest).")] = None,
    method: Methods = None,
    stage: Stage = None,
    boxes: Annotated[Path | None, typer.Option(help="List of known boxes; drawn where the film has one.")] = None,
    age: Annotated[float | None, typer.Option(min=0, max=120, help="Years; in place of table or header.")] = None,
    sex: Annotated[str | None, typer.Option(help="F or M; in place of table or header.")] = None,
    view: Annotated[str | None, typer.Option(help="PA or AP; in place of table or header.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder (default: explanations in the study, or here for a bundle's).")
    ] = None,
    allow_module: AllowModule = None,
) -> None:
    """Heat maps of single films, and how far age, sex and view moved the answer."""
    from cxrbench.bundle import load_bundle
    from cxrbench.bundle.record import BUNDLE_FILE
    from cxrbench.explain.explaining import EXPLANATIONS_FOLDER, Explaining
    from cxrbench.explain.films import Patient
    from cxrbench.explain.maps import checked_methods

    how = Explaining(tuple(finding or ()), checked_methods(method), stage)
    patient = Patient(age, sex, view)
    if (folder / BUNDLE_FILE).is_file():
        _of_runs_only(approach=approach, split=split, seed=seed or None, stage=stage, boxes=boxes)
        bundle = load_bundle(folder, allowed_modules=allow_module or ())
        _explain_with_bundle(bundle, images, out or Path(EXPLANATIONS_FOLDER), how=how, patient=patient)
        return
    from cxrbench.explain.boxes import film_boxes
    from cxrbench.explain.trained import load_trained, one_run, open_study

    opened = open_study(folder)
    run = load_trained(opened, one_run(folder, approach=approach, split=split, seed=seed))
    known = None if boxes is None else film_boxes(boxes, opened)
    target = (out or folder / EXPLANATIONS_FOLDER) / run.name.approach
    for image in images:
        _explain_with_run(opened, run, image, target, how=how, patient=patient, boxes=known)


def _explain_with_run(
    study: "OpenStudy",
    run: "Trained",
    image: str,
    out: Path,
    *,
    how: "Explaining",
    patient: "Patient",
    boxes: "DataFrame | None",
) -> None:
    """One film, explained by a run of a study."""
    from cxrbench.explain.explaining import explain_film
    from cxrbench.explain.films import find_film
    from cxrbench.terminal import show_table

    film = find_film(image, study, run, patient)
    answers = explain_film(study, run, film, out / film.name, how=how, boxes=boxes)
    if (part := run.part_name(film.row["patient_id"][0])) in {"train", "val"}:
        print(f"note: {run.name} was made with this patient ({part} part): its answer is no test of it")
    print(f"{film.name}: {out / film.name}")
    show_table(answers.sort("logit", descending=True).head(5))


def _of_runs_only(**options: object) -> None:
    """Refuse options that mean nothing where a bundle answers."""
    from cxrbench.errors import ConfigError

    if given := [name for name, value in options.items() if value is not None]:
        raise ConfigError(f"--{given[0]} is for a study's runs; a bundle answers with all its networks")


def _explain_with_bundle(
    bundle: "Bundle", images: list[str], out: Path, *, how: "Explaining", patient: "Patient"
) -> None:
    """Films, explained by a bundle: calibrated probabilities, what the headers say, and the bundle's notices."""
    from cxrbench.explain.explaining_bundles import BundleExplainer
    from cxrbench.predict import Request
    from cxrbench.terminal import show_table

    explainer = BundleExplainer(bundle)
    for image in images:
        path = Path(image)
        request = Request(path=path, age_years=patient.age_years, sex=patient.sex, view=patient.view)
        explained = explainer.explain(request, out / path.stem, how=how)
        print(f"{path.name}: {out / path.stem}")
        for warning in explained.warnings:
            print(f"warning: {warning}")
        show_table(explained.answers.sort("probability", descending=True).head(5))
    for notice in bundle.record.notices:
        print(f"note: {notice}")


def localise(
    study: Study,
    boxes: Annotated[Path, typer.Option(help="BBox_List_2017.csv, or lesions.parquet of generated films.")],
    approach: Approaches = None,
    split: Splits = None,
    seed: Seeds = None,
    method: Methods = None,
    stage: Stage = None,
    sanity_films: Annotated[
        int, typer.Option(min=0, help="Boxed findings per run for the check with random weights.")
    ] = 100,
    random_seed: Annotated[int, typer.Option(min=0, help="Of random maps and random weights.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder (default: localisation in the study).")] = None,
) -> None:
    """Score heat maps against known boxes, each run on its own test films only."""
    import polars as pl

    from cxrbench.evaluate.explanations import ALL, ENERGY, LOCALISATION_FOLDER, POINTING
    from cxrbench.explain.maps import checked_methods
    from cxrbench.explain.scoring import Localising, localise_study
    from cxrbench.explain.trained import chosen_runs
    from cxrbench.terminal import show_table, shown_progress

    names = chosen_runs(study, approaches=approach or (), splits=split or (), seeds=seed or ())
    how = Localising(checked_methods(method), stage, sanity_films, random_seed)
    folder = out or study / LOCALISATION_FOLDER
    with shown_progress() as track:
        result = localise_study(study, boxes, folder, names=names, how=how, track=track)
    for name in result.left_out:
        print(f"note: {name}: none of the boxes is on its test films")
    print(f"localisation: {folder}")
    told = result.table.filter(pl.col("finding") == ALL, pl.col("measure").is_in([POINTING, ENERGY]))
    show_table(
        told.select("approach", "split", "method", "measure", "images", "estimate", "lower", "upper", "over_centre")
    )
    _say_report(study, folder, LOCALISATION_FOLDER)


def nonimage(
    study: Study,
    approach: Approaches = None,
    split: Splits = None,
    probe_films: Annotated[
        int, typer.Option(min=0, help="Training films at most that the probes learn from; 0: no probes.")
    ] = 5000,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the models of age, sex and view, and of the choice of films.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder (default: nonimage in the study).")] = None,
) -> None:
    """What age, sex and view are worth: alone, beside the image, and how far the image shows them itself."""
    from cxrbench.evaluate.explanations import NONIMAGE_FOLDER
    from cxrbench.explain.nonimage import Asking, nonimage_study
    from cxrbench.explain.trained import chosen_runs
    from cxrbench.terminal import show_table, shown_progress

    names = chosen_runs(study, approaches=approach or (), splits=split or ())
    folder = out or study / NONIMAGE_FOLDER
    with shown_progress() as track:
        result = nonimage_study(study, folder, names=names, asking=Asking(probe_films, seed), track=track)
    print(f"non-image features: {folder}")
    show_table(result.means)
    show_table(
        result.probes.select("approach", "split", "target", "measure", "images", "estimate", "lower", "upper", "untold")
    )
    _say_report(study, folder, NONIMAGE_FOLDER)


def _say_report(study: Path, folder: Path, usual: str) -> None:
    """That the report shows what was found, where it lies where the report looks."""
    if folder == study / usual:
        print(f"`cxrbench report {study}` shows it in the report from now on")


COMMANDS = (explain, localise, nonimage)
