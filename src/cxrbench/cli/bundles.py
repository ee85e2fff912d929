"""Subcommands about bundles: make one, check one, use one."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cxrbench.cli.options import Study
from cxrbench.cli.stopping import stoppable
from cxrbench.cli.studies import say_origin

if TYPE_CHECKING:
    from cxrbench.bundle import Bundle as LoadedBundle
    from cxrbench.predict import Prediction, Predictor, Request

BundleFolder = Annotated[Path, typer.Argument(help="Folder of a bundle.")]
AllowModule = Annotated[
    list[str] | None,
    typer.Option(
        help="Python module that the bundle may import to build its network; may be repeated (default: none)."
    ),
]
Export = Annotated[
    Path | None,
    typer.Option(help="Folder of an export of the bundle to compute with (default: those within the bundle)."),
]
SHOWN = 10


def open_bundle(folder: Path, allow_module: Sequence[str] | None, export: Path | None) -> "LoadedBundle":
    """Load a bundle, with the export of it that was given."""
    from cxrbench.bundle import load_bundle
    from cxrbench.predict.exported import with_export

    opened = load_bundle(folder, allowed_modules=allow_module or ())
    return opened if export is None else with_export(opened, export)


def bundle(
    study: Study,
    out: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    approach: Annotated[
        list[str] | None, typer.Option(help="Whose run; several make an ensemble (default: the study's only one).")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="On which split; several make an ensemble (default: the first).")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="From which seed; several make an ensemble (default: the first).")
    ] = None,
    export: Annotated[
        bool, typer.Option(help="Export it at once to OpenVINO, where that is installed: predictions are faster.")
    ] = True,
) -> None:
    """Make a folder with all that is needed to use a study's trained model: weights, calibration, thresholds, card."""
    from cxrbench.bundle import choose_runs
    from cxrbench.bundle.making import make_bundle

    say_origin(study)
    runs = choose_runs(study, approaches=approach or (), splits=split or (), seeds=seed or ())
    made = make_bundle(study, runs, out)
    print(f"bundle: {out}: {', '.join(map(str, runs))}")
    if export:
        _export_fastest(made)
    _say_notices(made)


def _export_fastest(made: "LoadedBundle") -> None:
    """Give a new bundle what ``auto`` takes first; without it torch computes, so that a refusal is no error."""
    from cxrbench.errors import BundleError
    from cxrbench.export import export_fastest

    try:
        if exported := export_fastest(made):
            print(f"export: {exported[0]}: what predict uses unless told otherwise")
    except BundleError as problem:
        print(f"note: {problem}")


def check(folder: BundleFolder, allow_module: AllowModule = None, export: Export = None) -> None:
    """See that a bundle is unaltered and gives its reference answer on this machine."""
    from cxrbench.bundle.packages import code_notes
    from cxrbench.predict.backends import AUTO
    from cxrbench.predict.exported import export_notes
    from cxrbench.predict.opening import TORCH, open_networks

    loaded = open_bundle(folder, allow_module, export)
    members = len(loaded.members)
    print(f"{folder}: unaltered; {members} member{'s' if members > 1 else ''}, SHA-256 {loaded.digest[:12]}")
    obstacle, fastest = loaded.code_obstacle(), open_networks(loaded, AUTO)
    ours = [] if obstacle or fastest.backend == TORCH else [open_networks(loaded, TORCH)]
    if obstacle:
        print(f"torch is not used: {obstacle}")
    for opened in (*ours, fastest):
        print(f"reference film, {opened.backend}: largest difference of a logit {opened.largest_difference:.1e}")
    for name, reason in fastest.passed_over.items():
        print(f"{name} is not used: {reason}")
    notes = [note for member in loaded.members for note in code_notes(member.packages)]
    for note in (*notes, *export_notes(loaded)):
        print(f"note: {note}")
    _say_notices(loaded)


def predict(
    folder: BundleFolder,
    paths: Annotated[list[str], typer.Argument(help="Films, folders, patterns, or a CSV list of films.")],
    out: Annotated[Path | None, typer.Option(help="File of the predictions: .parquet, .csv or .json.")] = None,
    parts: Annotated[
        Path | None,
        typer.Option(help="Instead, a folder of Parquet parts, for archives of any size; what was stopped goes on."),
    ] = None,
    part_size: Annotated[int, typer.Option(min=1, help="Films of a part.")] = 2048,
    on: Annotated[
        str | None, typer.Option(help="Ray cluster to make parts on: ray (of this machine), auto, host:port.")
    ] = None,
    cpus: Annotated[int, typer.Option(min=1, help="Cores of each actor on a cluster.")] = 1,
    gpus: Annotated[
        float | None, typer.Option(min=0, help="GPUs of each actor, or a fraction (default: 1 if any).")
    ] = None,
    age: Annotated[float | None, typer.Option(min=0, max=120, help="Age in years, over header and list.")] = None,
    sex: Annotated[str | None, typer.Option(help="F or M, over header and list.")] = None,
    view: Annotated[str | None, typer.Option(help="View position (PA, AP), over header and list.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Films that the networks see together.")] = 16,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode (default: every core; 0: none of its own).")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Test-time augmentation: the mean of the film's answer and its mirror's.")
    ] = False,
    backend: Annotated[
        str, typer.Option(help="What computes: torch, an export (onnx, openvino), or auto, the fastest at hand.")
    ] = "auto",
    export: Export = None,
    allow_module: AllowModule = None,
) -> None:
    """Answer about films: calibrated probability, decision and percentile of every finding, with warnings."""
    from cxrbench.cli.parts import predict_in_parts
    from cxrbench.config import ClusterSettings, parse_settings
    from cxrbench.environment import usable_cores
    from cxrbench.files import partial_of
    from cxrbench.predict import Predictor
    from cxrbench.predict.gathering import find, gather

    _check_place(out, parts, on, paths)
    cluster = parse_settings({"address": on, "cpus": cpus, "gpus": gpus}, ClusterSettings, where="command line")
    left_out: Counter[str] = Counter()
    known: dict[str, Any] = {
        "age_years": age, "sex": _sex(sex), "view": view and view.upper(), "left_out": left_out,
    }  # fmt: skip
    requests = gather(paths, **known) if out else ()
    opened = open_bundle(folder, allow_module, export)
    predictor = Predictor(opened, backend=backend, has_mirror=mirror)
    workers = usable_cores() if workers is None else workers
    if out:
        with stoppable(f"nothing is written to {out}; --parts FOLDER in its place keeps what is done"):
            _predict_to_file(predictor, requests, out, batch_size=batch_size, workers=workers)
    elif parts:
        sizes = {"batch_size": batch_size, "part_size": part_size}
        with stoppable(f"the parts that are done stay in {partial_of(parts)}; the same command goes on"):
            predict_in_parts(predictor, find(paths, **known), parts, **sizes, cluster=cluster, workers=workers)
    _say_left_out(left_out)
    _say_notices(opened)


def _say_left_out(left_out: Counter[str]) -> None:
    """Which files of folders were passed over, so that nobody takes them for answered."""
    from cxrbench.predict.gathering import listed_kinds

    if left_out:
        files = f"{left_out.total():,} file{'s' if left_out.total() > 1 else ''} ({listed_kinds(left_out)})"
        print(f"left out of folders: {files}, as no PNG, JPEG, TIFF or DICOM", file=sys.stderr)


def _check_place(out: Path | None, parts: Path | None, on: str | None, paths: Sequence[str]) -> None:
    """Refuse what cannot be meant before anything is loaded."""
    from cxrbench.errors import ConfigError
    from cxrbench.predict.writing import check_place

    if (out is None) == (parts is None):
        raise ConfigError("say where predictions go: --out FILE, or --parts FOLDER")
    if on is not None and parts is None:
        raise ConfigError("--on makes parts on a cluster: it needs --parts FOLDER")
    if out is not None:
        if out.is_file() and out in map(Path, paths):
            raise ConfigError(f"--out {out}: it is read, too, and would be lost; choose another name")
        check_place(out)


def _predict_to_file(
    predictor: "Predictor", requests: "Sequence[Request]", out: Path, *, batch_size: int, workers: int
) -> None:
    from cxrbench.errors import DataError
    from cxrbench.predict.writing import write_predictions
    from cxrbench.terminal import shown_progress

    started = time.perf_counter()
    with shown_progress() as track:
        predictions = list(
            predictor.predict_files(requests, batch_size=batch_size, workers=min(workers, len(requests)), track=track)
        )
    seconds = time.perf_counter() - started
    write_predictions(out, predictor.bundle, predictions)
    _summarise(predictions)
    if all(one.error for one in predictions):
        raise DataError(f"no film could be answered; {out} has the reason of each")
    rate = f"{len(predictions) / seconds:.1f}/s, computed by {predictor.backend}"
    print(f"predictions: {out}: {len(predictions):,} files in {seconds:.1f} s, {rate}")


def _sex(given: str | None) -> str | None:
    if given is None or given.upper() in {"F", "M"}:
        return given and given.upper()
    from cxrbench.errors import ConfigError

    raise ConfigError(f"--sex {given}: valid are F and M; leave it out when it is not known")


def _summarise(predictions: Sequence["Prediction"]) -> None:
    """Which files could not be read, and how many had warnings."""
    failed = [one for one in predictions if one.error]
    for one in failed[:SHOWN]:
        print(f"not read: {one.path}: {one.error}", file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"not read: {len(failed) - SHOWN:,} more; see the column error", file=sys.stderr)
    warned = Counter(len(one.answer.warnings) > 0 for one in predictions if one.answer)
    print(f"{warned.total():,} answered, {warned[True]:,} of them with warnings; {len(failed):,} not read")


def _say_notices(opened: "LoadedBundle") -> None:
    """What must be said of a bundle, and which findings' numbers are not what they seem."""
    for notice in opened.record.notices:
        print(f"note: {notice}")
    if raw := [finding for finding in opened.answered if not opened.is_calibrated(finding)]:
        print(f"note: not calibrated, the network's own outputs are given: {', '.join(raw)}")
    if blind := [name for name in opened.answered if opened.record.decisions[name].threshold is None]:
        print(f"note: without threshold: {', '.join(blind)}")


COMMANDS = (bundle, check, predict)
