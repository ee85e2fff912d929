"""Draw the contact sheet of docs/phantom.md: healthy chests and every sign.

uv run python benchmarks/phantom_sheet.py --out docs/images/phantom-sheet.jpg
"""

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cxrbench.data.phantom import Film, PhantomSettings, Picture, Sign, draw_film

SETTINGS = PhantomSettings(size_px=1024, detail_px=448, seed=4)
VISIBILITY = 0.95
COLUMNS, PANEL_INCHES, DPI, QUALITY = 4, 2.6, 150, 86
BOX, INK, PAPER = "#ffb000", "#f2f2f2", "#101010"
ZOOMED, ZOOM = "Nodule", 8

HEALTHY = (4, 3)
PATIENTS = {
    "Atelectasis": 4,
    "Cardiomegaly": 5,
    "Effusion": 2,
    "Infiltration": 5,
    "Mass": 2,
    "Nodule": 4,
    "Pneumonia": 4,
    "Pneumothorax": 4,
    "Consolidation": 2,
    "Edema": 6,
    "Emphysema": 5,
    "Fibrosis": 5,
    "Pleural_Thickening": 2,
    "Hernia": 5,
}
"""Who shows a sign well; every second is a woman, and every third is in bed."""


def film(patient: int, finding: str | None = None) -> Film:
    """One film with at most one finding."""
    sex, view = "FM"[patient % 2 == 0], "AP" if patient % 3 == 0 else "PA"
    signs = (Sign(finding, VISIBILITY),) if finding else ()
    return Film(patient, 0, 50, sex, view, signs, labels=(), priors=())


def show(axes: Axes, picture: Picture, title: str) -> None:
    """A film, its title, and boxes round what it shows."""
    axes.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(title, color=INK, fontsize=8.5, pad=4)
    axes.set_axis_off()
    side = len(picture.pixels)
    for lesion in picture.lesions:
        margin = 0.012
        corner = ((lesion.x - margin) * side, (lesion.y - margin) * side)
        size = ((lesion.width + 2 * margin) * side, (lesion.height + 2 * margin) * side)
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=BOX, linewidth=0.7))


def zoom_in(axes: Axes, picture: Picture) -> None:
    """The first lesion, magnified in the lower right corner."""
    side, lesion = len(picture.pixels), picture.lesions[0]
    x, y, half = (lesion.x + lesion.width / 2) * side, (lesion.y + lesion.height / 2) * side, 0.16 * side / ZOOM
    inset = axes.inset_axes((0.66, 0.02, 0.32, 0.32))
    inset.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    inset.set(xlim=(x - half, x + half), ylim=(y + half, y - half), xticks=[], yticks=[])
    for spine in inset.spines.values():
        spine.set_color(BOX)


def draw_sheet(out: Path) -> None:
    """Write the sheet."""
    findings: list[tuple[str | None, int]] = [(None, patient) for patient in HEALTHY]
    films = [(name, film(patient, name)) for name, patient in [*findings, *PATIENTS.items()]]
    rows = -(-len(films) // COLUMNS)
    size = (COLUMNS * PANEL_INCHES, rows * (PANEL_INCHES + 0.16))
    figure, panels = plt.subplots(rows, COLUMNS, figsize=size, facecolor=PAPER, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for axes, (finding, each) in zip(panels.flat, films, strict=True):
        picture = draw_film(each, SETTINGS)
        name = (finding or "No Finding").replace("_", " ")
        show(axes, picture, f"{name} ({each.view}, {each.sex})")
        if finding == ZOOMED:
            zoom_in(axes, picture)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=DPI, pil_kwargs={"quality": QUALITY})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images/phantom-sheet.jpg"))
    draw_sheet(parser.parse_args().out)
