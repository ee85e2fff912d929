"""Subcommands about DICOM out: results of single films, and a place beside an archive."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrbench.cli.bundles import AllowModule, BundleFolder, Export, open_bundle

if TYPE_CHECKING:
    import threading

    from cxrbench.pacs.answering import Answerer
    from cxrbench.pacs.listener import Origin


Shown = Annotated[
    int, typer.Option(min=0, max=15, help="Findings over their threshold that get a heat map and a box, at most.")
]
Method = Annotated[
    str | None,
    typer.Option(
        help="Of heat maps: cam, grad-cam, layer-cam, hires-cam or occlusion (default: cam, if there is one)."
    ),
]
Login = Annotated[Path | None, typer.Option(help="File with user:password of the DICOMweb server.")]


def dicom(
    folder: BundleFolder,
    films: Annotated[list[Path], typer.Argument(help="DICOM films.")],
    out: Annotated[Path, typer.Option(help="Folder that gets a folder per film.")],
    shown: Shown = 3,
    method: Method = None,
    export: Export = None,
    allow_module: AllowModule = None,
) -> None:
    """Answer DICOM films with DICOM objects: structured report, heat maps, boxes."""
    from contextlib import closing

    from cxrbench.errors import CxrbenchError, DataError
    from cxrbench.explain.maps import checked_methods
    from cxrbench.pacs.answering import Answerer
    from cxrbench.pacs.refusing import Unanswerable
    from cxrbench.pacs.writing import folders_of, write_results
    from cxrbench.predict import Predictor

    chosen = checked_methods([method])[0] if method else None
    folders = folders_of(films, out)
    answerer = Answerer(Predictor(open_bundle(folder, allow_module, export)), most_shown=shown, method=chosen)
    _say_notes(answerer)
    failed = 0
    with closing(answerer):
        for film, results_folder in folders.items():
            try:
                results = answerer.answer(film)
            except (CxrbenchError, Unanswerable) as reason:
                failed += 1
                print(f"not answered: {film}: {str(reason).removeprefix(f'{film}: ')}", file=sys.stderr)
                continue
            written = write_results(results_folder, results)
            print(f"{written}: report, {len(results.captures)} heat maps{', boxes' * bool(results.presentation)}")
    if failed == len(films):
        raise DataError("no film could be answered")


def listen(
    folder: BundleFolder,
    spool: Annotated[
        Path, typer.Option(help="Folder for what was accepted and is not delivered yet; holds patients' films.")
    ],
    send_to: Annotated[str | None, typer.Option(help="DICOM node that gets the results: AE@host:port.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that gets the results.")] = None,
    dicomweb: Annotated[
        str | None,
        typer.Option(help="DICOMweb server to watch for new CR and DX films, in place of listening; gets the results."),
    ] = None,
    aet: Annotated[str, typer.Option(help="Own AE title.")] = "CXRBENCH",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 11112,
    calling_aet: Annotated[
        list[str] | None, typer.Option(help="AE title that may send; may be repeated (default: any).")
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Largest object that is taken, megabytes.")] = 200,
    max_waiting: Annotated[int, typer.Option(min=1, help="Films that may wait.")] = 1000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Between two looks at the DICOMweb server.")] = 10.0,
    days: Annotated[int, typer.Option(min=0, help="Look at studies of today and so many days before; 0: at all.")] = 1,
    login: Login = None,
    shown: Shown = 3,
    method: Method = None,
    export: Export = None,
    allow_module: AllowModule = None,
) -> None:
    """Answer each chest film that is sent here, or appears on a DICOMweb server, with its results as DICOM."""
    from contextlib import closing

    from cxrbench.explain.maps import checked_methods
    from cxrbench.files import alone
    from cxrbench.pacs.answering import Answerer
    from cxrbench.pacs.destinations import destination_of
    from cxrbench.pacs.intake import Intake
    from cxrbench.pacs.listener import Listener
    from cxrbench.pacs.receiver import Listening, Receiver
    from cxrbench.pacs.spool import Spool
    from cxrbench.pacs.watcher import Watcher, web_client
    from cxrbench.predict import Predictor

    chosen = checked_methods([method])[0] if method else None
    client = None if dicomweb is None else web_client(dicomweb, login=login, most_mb=max_mb)
    destination = destination_of(send_to=send_to, folder=out, client=client, own_title=aet)
    bundle = open_bundle(folder, allow_module, export)
    stop = _stop_on_signals()
    _log_to_stderr()
    spool.mkdir(parents=True, exist_ok=True)
    with alone(spool, "listens with it"):
        waiting = Spool(spool, bundle.digest, most_waiting=max_waiting)
        intake = Intake(waiting)
        listening = Listening(title=aet, host=host, port=port, callers=tuple(calling_aet or ()), most_mb=max_mb)
        receiver = Receiver(listening, intake)
        origin: Origin = receiver if client is None else Watcher(client, intake, days=days, seconds=seconds)
        with closing(Answerer(Predictor(bundle), most_shown=shown, method=chosen)) as answerer:
            _say_notes(answerer)
            print(f"listening: {dicomweb or f'{aet} on {host}:{port}'}; {' '.join(bundle.record.notices)}", flush=True)
            Listener(answerer, waiting, destination, origin).run(stop)


def _say_notes(answerer: "Answerer") -> None:
    """What becomes of heat maps, where that is not what was asked for."""
    for note in answerer.notes:
        print(f"note: {note}", file=sys.stderr, flush=True)


def _stop_on_signals() -> "threading.Event":
    """An event that SIGTERM and Ctrl-C set."""
    import signal
    import threading

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _log_to_stderr() -> None:
    """Show what the listener says; libraries, which quote what they read, only when they fail."""
    import logging
    import warnings

    import pydicom

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.CRITICAL)
    logging.getLogger("cxrbench.pacs").setLevel(logging.INFO)
    for library in ("pynetdicom", "pydicom", "highdicom", "dicomweb_client"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


COMMANDS = (dicom, listen)
