"""Progress bars of the terminal, with rate and time left."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from cxrbench.progress import Track

if TYPE_CHECKING:  # the bars of `report` must not need torch
    import polars as pl

    from cxrbench.study import Outcome, Plan, RunTask
    from cxrbench.training import ReportStep, Step

T = TypeVar("T")
UNLIMITED = 10_000


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def shown_progress() -> Iterator[Track]:
    """A ``Track`` that draws one bar per piece of long work."""
    with _progress() as progress:

        def track(items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
            task, started = progress.add_task(label, total=total, rate=""), time.perf_counter()
            for done, item in enumerate(items, start=1):
                yield item
                # Of all so far: the latest alone say nothing where several end at once.
                progress.update(task, completed=done, rate=f"{done / (time.perf_counter() - started):.1f}/s")

        yield track


def show_table(table: "pl.DataFrame") -> None:
    """Print a table, numbers rounded to four decimals; rather wider than the terminal than with cut numbers."""
    shown = Table(box=None)
    for name in table.columns:
        shown.add_column(name.replace("_", "\n"), no_wrap=name != "reason")
    for row in table.iter_rows():
        shown.add_row(*(_cell(value) for value in row))
    console = Console()
    if "reason" not in table.columns:
        console.width = max(console.width, Console(width=UNLIMITED).measure(shown).maximum)
    console.print(shown)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


class StudyBars:
    """Two bars: runs of the study, batches of the run that is being made."""

    def __init__(self, plan: "Plan") -> None:
        self._plan = plan
        self._progress = _progress()
        self._runs = self._progress.add_task("study: runs", total=len(plan.to_do), rate="")
        self._batches: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, task: "RunTask") -> "ReportStep":
        """A new run begins; what is called with each of its steps."""
        bar = self._batches = self._progress.add_task(str(task.name), total=None, rate="")

        def report(step: "Step") -> None:
            loss = "" if step.val_loss is None else f", validation loss {step.val_loss:.4f}"
            self._progress.update(
                bar,
                description=f"{task.name}: epoch {step.epoch + 1} of at most {step.epochs}{loss}",
                total=step.epochs * step.batches,
                completed=step.epoch * step.batches + step.batch,
                rate=self._rate(bar),
            )

        return report

    def _rate(self, bar: TaskID) -> str:
        """Of the latest batches: a run that goes on did not make the earlier ones now."""
        speed = next(own.speed for own in self._progress.tasks if own.id == bar)
        return f"{speed:.1f} batches/s" if speed else ""

    def finished(self, outcome: "Outcome") -> "Outcome":
        """A run ended; its line stays in the scroll-back."""
        if self._batches is not None:
            self._progress.remove_task(self._batches)
            self._batches = None
        ending = f"FAILED: {outcome.failure}" if outcome.failure else "done"
        self._progress.console.print(
            f"{outcome.name}: {ending} in {outcome.seconds:.0f} s", markup=False, highlight=False
        )
        self._progress.advance(self._runs)
        return outcome
