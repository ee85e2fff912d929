"""Lookup tables and windows of every form as the package shows them, against dcmtk's ``dcm2pnm``.

    python benchmarks/grey_scale.py

Each film holds every stored value once (tests/grey_scale_films.py). A cell is one combination of entries, depth,
packing, sign and kind of table, or of window function, width, sign, rescaling and polarity. Tables of a wrong depth are
shown by dcm2pnm with ``+Mv``. Whatever dcm2pnm refuses is counted apart. Writes ``grey_scale.csv``, a row per cell, and
``grey_scale.md``, a row per kind, to ``benchmarks/results``.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench.data.images import decode  # noqa: E402
from cxrbench.environment import describe_environment  # noqa: E402
from grey_scale_films import Cell, grid, has_dcmtk, shown_by_dcmtk  # noqa: E402

ROUNDED = (
    "dcmtk rounds what slope and intercept give to whole numbers, which a window of one or two values shows; the "
    "standard and this package do not."
)
WITHIN = 1
"""Grey levels of 255 that rounding may cost."""


def compared(cell: Cell, folder: Path) -> dict[str, object]:
    """One row: the cell, and the largest difference in grey levels, or none where dcmtk refuses it."""
    shown = shown_by_dcmtk(cell, folder)
    largest = None if shown is None else int(np.abs(decode(cell.content).astype(int) - shown).max())
    form = ", ".join(f"{name} {value}" for name, value in cell.form.items())
    return {"kind": cell.kind, "form": form, "dcm2pnm": " ".join(cell.flags), "largest_difference": largest}


def summary(cells: pl.DataFrame) -> str:
    """A Markdown table of kinds."""
    head = "| kind | cells | refused by dcmtk | compared | within 1 of 255 | largest difference |"
    lines = [head, "|---" * 6 + "|"]
    for (kind,), rows in cells.group_by(["kind"], maintain_order=True):
        found = rows["largest_difference"].drop_nulls()
        within = (found <= WITHIN).sum()
        lines.append(f"| {kind} | {len(rows)} | {len(rows) - len(found)} | {len(found)} | {within} | {found.max()} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="compare each n-th cell only")
    arguments = parser.parse_args()
    if not has_dcmtk():
        raise SystemExit("needs dcm2pnm of dcmtk")
    with tempfile.TemporaryDirectory() as folder:
        cells = pl.DataFrame([compared(cell, Path(folder)) for cell in list(grid())[:: arguments.every]])
    version = subprocess.run(["dcm2pnm", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    results = HERE / "results"
    cells.write_csv(results / "grey_scale.csv")
    versions = describe_environment(device="cpu", threads=1)["versions"]
    refused = cells.filter(pl.col("largest_difference").is_null())
    made = (
        f"dcmtk {version}, pydicom {versions['pydicom']}, numpy {versions['numpy']}; `python benchmarks/grey_scale.py`."
    )
    listed = [f"- {kind}: {form}" for kind, form in refused.select("kind", "form").iter_rows()]
    text = ["# Lookup tables and windows against dcm2pnm", made, summary(cells), ROUNDED, "## Refused by dcmtk"]
    (results / "grey_scale.md").write_text("\n\n".join([*text, "\n".join(listed)]) + "\n", encoding="utf-8")
    print(summary(cells))


if __name__ == "__main__":
    main()
