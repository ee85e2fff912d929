"""A study in Python: made or opened, its results as frames, shown by a notebook."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import runs
from cxrbench.config import StudySettings, load_study, parse_settings
from cxrbench.errors import StudyError
from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.columns import ALL, MEAN
from cxrbench.evaluate.tables import RESULT_TABLES
from cxrbench.interface.assessment import Picture, html_table, turned
from cxrbench.progress import Track, silent
from cxrbench.runs import RunName


@dataclass(frozen=True)
class StudyTables(Mapping[str, pl.DataFrame]):
    """Result tables of a study by name, each read when it is asked for; docs/results.md describes them."""

    folder: Path
    _read: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in RESULT_TABLES:
            raise KeyError(f"no table {name!r}; there are {', '.join(RESULT_TABLES)}")
        if name not in self._read:
            self._read[name] = RESULT_TABLES[name].read(self.folder / runs.RESULTS_FOLDER)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(RESULT_TABLES)

    def __len__(self) -> int:
        return len(RESULT_TABLES)


@dataclass(frozen=True)
class Study:
    """A study's folder, opened: its runs and its results.

    Attributes:
        folder: Folder of the study.
        record: Content of ``study.json``.
    """

    folder: Path
    record: Mapping[str, Any] = field(repr=False)

    @property
    def runs(self) -> tuple[RunName, ...]:
        """Names of the finished runs."""
        return tuple(runs.finished_runs(self.folder))

    @property
    def approaches(self) -> tuple[str, ...]:
        """Names of the approaches with a finished run."""
        return tuple(dict.fromkeys(run.approach for run in self.runs))

    @cached_property
    def tables(self) -> StudyTables:
        """Result tables by name, such as ``study.tables["comparison"]``."""
        return StudyTables(self.folder)

    def auc(self) -> pl.DataFrame:
        """Return the mean AUC of each approach and finding over the splits of one kind, on all images.

        ``sd`` describes how the splits differ. Intervals of single runs are in ``tables["auc"]``.

        Raises:
            StudyError: The study has no results, or they are damaged.
        """
        return self.tables["auc_summary"].filter(group=ALL).drop("group")

    def compare(self, a: str, b: str) -> pl.DataFrame:
        """Return the differences of AUC between two approaches, ``a`` minus ``b``, one row per finding.

        Raises:
            StudyError: An approach has no results.
        """
        table = self.tables["comparison"]
        known = sorted({*table["approach_a"], *table["approach_b"]})
        for name in (a, b):
            if name not in known:
                raise StudyError(f"{self.folder}: no comparison of {name!r}; it compares {', '.join(known)}")
        pair = table.filter(pl.col("approach_a").is_in([a, b]) & pl.col("approach_b").is_in([a, b]))
        return turned(pair, [a, b])

    def plot(self) -> Picture:
        """Draw the report's first figure: the mean AUC of each approach.

        Raises:
            StudyError: A result table is absent or damaged.
        """
        from cxrbench.report.discrimination import overview_figure  # noqa: PLC0415 - matplotlib is slow to import
        from cxrbench.report.drawing import looks  # noqa: PLC0415 - likewise
        from cxrbench.report.selection import results_of  # noqa: PLC0415 - likewise
        from cxrbench.report.study import read_study  # noqa: PLC0415 - likewise

        study = read_study(self.folder)
        results = results_of(study, study.kinds[0], looks(study.approaches))
        return Picture(overview_figure(results).drawing.document)

    def _repr_html_(self) -> str:
        title = (
            f"<p><b>{escape(str(self.folder))}</b>: {len(self.runs)} runs of {escape(', '.join(self.approaches))}</p>"
        )
        try:
            return title + html_table(self.auc().filter(finding=MEAN)) + self.plot().svg.partition("?>")[2]
        except StudyError as error:
            return f"{title}<p>{escape(str(error))}</p>"


def open_study(folder: str | Path) -> Study:
    """Open the folder of a study.

    Args:
        folder: Folder that ``cxrbench run --out`` or ``run_study`` wrote.

    Raises:
        StudyError: It is no study, or its record is damaged.

    Example:
        >>> study = open_study("study")
        >>> study.approaches
        ('tiny-meta', 'tiny-ots')
        >>> study.compare("tiny-ots", "tiny-meta").columns[:4]
        ['kind', 'approach_a', 'approach_b', 'finding']
    """
    return Study(Path(folder), runs.read_study_record(Path(folder)))


def run_study(source: StudySettings | str | Path | None = None, *, track: Track = silent, **changes: Any) -> Study:
    """Train, evaluate, compare and report; called again, it goes on where it stopped.

    Args:
        source: YAML of a study, the name of a packaged one, or settings; none where ``changes`` say all.
        track: Shows progress.
        changes: Fields of the study, over those of ``source``: ``data``, ``out``, ``approaches``, ``splits`` and others
            of ``cxrbench.config.StudySettings``.

    Raises:
        ConfigError: A setting is unknown or out of range.
        StudyError: A run failed; those that are finished stay, and are evaluated.

    Example:
        >>> run_study("study.yml", data="films", out="elsewhere")
        Traceback (most recent call last):
        cxrbench.errors.ConfigError: cannot read study.yml: No such file or directory
    """
    settings = _settings(source, changes)
    from cxrbench import report, study  # noqa: PLC0415 - torch is slow to import
    from cxrbench.study.preparation import locked  # noqa: PLC0415 - likewise

    with locked(settings.out):
        plan = study.make_plan(study.prepare_study(settings, track=track))
        made = study.carry_out(plan, workers=settings.workers, cluster=settings.cluster)
        outcomes = list(track(made, total=len(plan.to_do), label="training"))
        failures = [outcome for outcome in outcomes if outcome.failure]
        if plan.done or len(failures) < len(outcomes):
            evaluate_study(settings.out, track=track)
            report.write_report(settings.out)
    if failures:
        raise StudyError(
            f"{len(failures)} of {len(outcomes)} runs failed (first: {failures[0].name}: {failures[0].failure}); "
            f"open_study opens what is finished in {settings.out}, run_study tries the others again"
        )
    return open_study(settings.out)


def _settings(source: StudySettings | str | Path | None, changes: Mapping[str, Any]) -> StudySettings:
    """Return a study's settings with changes."""
    if isinstance(source, str | Path):
        return load_study(source, dict(changes))
    own = {} if source is None else source.model_dump(mode="json")
    return parse_settings({**own, **changes}, StudySettings, where="run_study")
