"""Subcommands about archives."""

from pathlib import Path
from typing import Annotated

import typer

from cxrbench.cli.options import AllowMissing, Format, Labels, Workers


def prepare(
    data: Annotated[Path, typer.Option(help="Folder of the archive.")],
    out: Annotated[Path, typer.Option(help="Folder of the store.")],
    labels: Labels = None,
    table_format: Format = None,
    size: Annotated[list[int] | None, typer.Option(min=32, help="Side in pixels; may be repeated.")] = None,
    allow_missing: AllowMissing = False,
    workers: Workers = None,
) -> None:
    """Decode and shrink an archive's images once; `run` does it by itself where the store is absent."""
    from cxrbench.data.store import prepare_store
    from cxrbench.data.tables import read_archive, read_format, require_complete
    from cxrbench.environment import usable_cores
    from cxrbench.terminal import shown_progress

    form = None if table_format is None else read_format(table_format)
    with shown_progress() as track:
        archive = read_archive(data, form=form, labels=labels, track=track)
        require_complete(archive, allow_missing=allow_missing)
        store = prepare_store(
            archive,
            out,
            sizes=tuple(size or (256, 480)),
            workers=workers or usable_cores(),
            allow_missing=allow_missing,
            track=track,
        )
    for note in archive.notes:
        print(f"note: {note}")
    left_out = f"missing {len(archive.missing):,}, unreadable {len(store.failures):,}"
    print(f"store: {out}: {store.index.height:,} images; {left_out}")


COMMANDS = (prepare,)
