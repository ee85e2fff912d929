"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Labels = Annotated[Path | None, typer.Option(help="Label file when it is not in the archive's folder.")]
Format = Annotated[
    Path | None, typer.Option("--format", help="YAML that names the columns of a CSV that is not NIH's.")
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Go on with the images that are there and readable.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes at a time (default: every core decodes, one run is made).")
]
Study = Annotated[Path, typer.Argument(help="Folder of a study.")]
