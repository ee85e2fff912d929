"""Options that several subcommands share, and how notes are shown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

Labels = Annotated[Path | None, typer.Option(help="Label file when it is not in the archive's folder.")]
Format = Annotated[
    Path | None,
    typer.Option("--format", help="Format of the labels: a packaged name or a YAML (default: as their columns show)."),
]
VocabularyName = Annotated[
    str | None,
    typer.Option("--vocabulary", help="Findings to read: a packaged vocabulary or a YAML (default: the format's)."),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Go on with the images that are there and readable.")
]
Processes = Annotated[int | None, typer.Option("--workers", min=1, help="Processes (default: one per core).")]
RunsAtATime = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Runs at a time (default: one; on a cluster as many as it has room for)."),
]
On = Annotated[
    str | None,
    typer.Option(help="Ray cluster to train on: ray (one of this machine alone), auto, host:port, ray://host:port."),
]
Study = Annotated[Path, typer.Argument(help="Folder of a study.")]


def show_notes(notes: Iterable[str]) -> None:
    """Print what a reader made of its files, apart from what a command answers."""
    for note in notes:
        print(f"note: {note}")
