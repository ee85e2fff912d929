"""Subcommands about archives."""

from pathlib import Path
from typing import Annotated

import typer

from cxrbench.cli.options import AllowMissing, Format, Labels, Processes, VocabularyName, show_notes


def prepare(
    data: Annotated[Path, typer.Option(help="Folder of the archive.")],
    out: Annotated[Path, typer.Option(help="Folder of the store.")],
    labels: Labels = None,
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    size: Annotated[list[int] | None, typer.Option(min=32, help="Side in pixels; may be repeated.")] = None,
    allow_missing: AllowMissing = False,
    workers: Processes = None,
) -> None:
    """Decode and shrink an archive's images once; `run` does it by itself where the store is absent."""
    from cxrbench.config import load_vocabulary
    from cxrbench.data.store import prepare_store
    from cxrbench.data.tables import read_archive, read_format, require_complete
    from cxrbench.environment import usable_cores
    from cxrbench.terminal import shown_progress

    form = None if table_format is None else read_format(table_format)
    findings = None if vocabulary is None else load_vocabulary(vocabulary)
    with shown_progress() as track:
        archive = read_archive(data, form=form, labels=labels, vocabulary=findings, track=track)
        require_complete(archive, allow_missing=allow_missing)
        store = prepare_store(
            archive,
            out,
            sizes=tuple(size or (256, 480)),
            workers=workers or usable_cores(),
            allow_missing=allow_missing,
            track=track,
        )
    show_notes(archive.notes)
    left_out = f"missing {len(archive.missing):,}, unreadable {len(store.failures):,}"
    print(f"store: {out}: {store.index.height:,} images; {left_out}")


def labels(
    files: Annotated[list[Path], typer.Argument(help="Label files, or folders that hold them.")],
    table_format: Format = None,
    vocabulary: VocabularyName = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file for the common table, one row per image.")] = None,
) -> None:
    """Read labels alone, without images, and say what became of them."""
    from cxrbench.config import load_vocabulary
    from cxrbench.data.tables import describe_labels, read_format, read_label_table
    from cxrbench.files import atomic_file

    read = read_label_table(
        files,
        form=None if table_format is None else read_format(table_format),
        vocabulary=None if vocabulary is None else load_vocabulary(vocabulary),
    )
    show_notes(read.notes)
    print(describe_labels(read))
    if out is not None:
        with atomic_file(out) as scratch:
            read.table.write_parquet(scratch)
        print(f"table: {out}")
    if out is not None and read.votes is not None:
        votes = out.with_suffix(f".votes{out.suffix}")
        with atomic_file(votes) as scratch:
            read.votes.write_parquet(scratch)
        print(f"votes of each image's readers: {votes}")


def phantom(
    out: Annotated[Path, typer.Option(help="Folder of the generated archive.")],
    patients: Annotated[int, typer.Option(min=2, help="Patients; each has 1 to 20 films, 3 on average.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal bytes.")] = 0,
    size_px: Annotated[int, typer.Option(min=64, max=4096, help="Side of the films.")] = 1024,
    detail_px: Annotated[
        int | None, typer.Option(min=32, help="Smallest input that shows small nodules (default: 448, or --size-px).")
    ] = None,
    label_noise: Annotated[float, typer.Option(min=0, max=1, help="Share of labels that are wrong.")] = 0.0,
    prevalence_scale: Annotated[float, typer.Option(min=0, max=10, help="Multiplies NIH's prevalences.")] = 1.0,
    workers: Processes = None,
) -> None:
    """Generate chest radiographs with known truth, in the layout of the NIH release."""
    from cxrbench.data.phantom import PhantomSettings, generate_release
    from cxrbench.environment import usable_cores
    from cxrbench.terminal import shown_progress

    settings = PhantomSettings(
        patients=patients,
        seed=seed,
        size_px=size_px,
        detail_px=detail_px or min(448, size_px),
        label_noise=label_noise,
        prevalence_scale=prevalence_scale,
    )
    with shown_progress() as track:
        generate_release(out, settings, workers=workers or usable_cores(), track=track)
    print(f"films: {out}")


COMMANDS = (prepare, labels, phantom)
