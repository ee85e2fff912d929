"""The result for readers: what was met, what was not, and how the controls failed."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from validation.cells import RARE, Cell


def write_summary(cells: list[Cell], facts: Mapping[str, str], path: Path) -> None:
    """Markdown with one row per question and method, then every cell that missed its target."""
    missed = [cell for cell in cells if not cell.is_control and not cell.is_met]
    lines = [
        "# Validation of the statistics",
        "",
        "Made by `python benchmarks/statistics_validation.py`; every cell is in `statistics-validation.csv`.",
        "A cell misses its target when it lies beyond it by more than two Monte-Carlo errors.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "## Methods",
        "",
        *_table(cell for cell in cells if not cell.is_control),
        "",
        f"{len(missed)} of {sum(not cell.is_control for cell in cells)} cells miss their target:",
        "",
        *(_missed(missed) or ["none"]),
        "",
        "## Negative controls, which must fail",
        "",
        *_table(cell for cell in cells if cell.is_control),
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _kind(cell: Cell) -> tuple[str, str, str]:
    """What is summarised in one row."""
    rare = cell.question == "AUC" and cell.positive_patients < RARE
    group = f"{cell.question}, 5 to {RARE} positive patients" if rare else cell.question
    if cell.question == "AUC" and not rare:
        group = f"AUC, {RARE} or more positive patients"
    if cell.question == "difference of two recipes":
        group = f"{cell.question}, {cell.finding}"
    return group, cell.method, f"{cell.target[0]:.1%} to {cell.target[1]:.1%}"


def _table(cells: Iterable[Cell]) -> list[str]:
    """One row per question and method: mean, lowest and highest rate, and how many cells met the target."""
    lines = [
        "| question | method | target | cells | met | mean | lowest | highest |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for (question, method, target), group in groupby(sorted(cells, key=_kind), key=_kind):
        same = list(group)
        rates = [cell.rate for cell in same]
        met = sum(cell.is_met for cell in same)
        lines.append(
            f"| {question} | {method} | {target} | {len(same)} | {met} "
            f"| {sum(rates) / len(rates):.1%} | {min(rates):.1%} | {max(rates):.1%} |"
        )
    return lines


def _missed(cells: list[Cell]) -> list[str]:
    """Every cell that missed, in full."""
    if not cells:
        return []
    head = ["| setting | patients | question | method | finding | positive patients | rate | target |"]
    return [
        *head,
        "|---|--:|---|---|---|--:|--:|---|",
        *(
            f"| {c.setting} | {c.patients} | {c.question} | {c.method} | {c.finding} | {c.positive_patients:.0f} "
            f"| {c.rate:.1%} ± {c.mc_error:.1%} | {c.target[0]:.1%} to {c.target[1]:.1%} |"
            for c in cells
        ),
    ]
