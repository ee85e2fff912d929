"""A study's runs, ready to be asked: the network as it was kept, and the films as it saw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from cxrbench import runs
from cxrbench.config import RunConfig, read_run
from cxrbench.data.delivery import Part
from cxrbench.data.features import FeatureScaling
from cxrbench.data.geometry import Frame, input_frame
from cxrbench.data.store import Store, open_store
from cxrbench.errors import StudyError
from cxrbench.evaluate.reading import read_config, read_table, readable
from cxrbench.explain.maps import Method, answered_methods, cam_problem
from cxrbench.models.classifier import Classifier
from cxrbench.runs import RunName
from cxrbench.splits import Split, read_split

STORE_FOLDER = "store"


@dataclass(frozen=True)
class OpenStudy:
    """A study folder whose runs are asked.

    Attributes:
        folder: Where it lies.
        table: Its table, sorted by ``image_id``.
        store: The archive's shrunk images.
        archive: Folder of the films themselves; it may be gone.
    """

    folder: Path
    table: pl.DataFrame
    store: Store
    archive: Path

    @cached_property
    def frames(self) -> dict[str, tuple[int, int]]:
        """Height and width in pixels of each image's file."""
        return {name: (h, w) for name, h, w in self.store.index.select("image_id", "height", "width").iter_rows()}

    def rows(self, image_ids: Sequence[str]) -> pl.DataFrame:
        """The table's rows of these images, in their order.

        Raises:
            StudyError: An image is not in the table.
        """
        asked = pl.DataFrame({"image_id": image_ids}, schema={"image_id": pl.String})
        found = asked.join(self.table, on="image_id", how="left", maintain_order="left")
        if (lacking := found.filter(pl.col("patient_id").is_null())).height:
            raise StudyError(f"{self.folder / runs.TABLE_FILE} has no image {lacking['image_id'][0]}")
        return found


@dataclass(frozen=True)
class Trained:
    """One finished run, its network loaded and switched to evaluation."""

    name: RunName
    config: RunConfig
    scaling: FeatureScaling
    split: Split
    classifier: Classifier

    @property
    def findings(self) -> tuple[str, ...]:
        """What the outputs stand for, in order."""
        return self.config.findings

    def frame(self, height: int, width: int) -> Frame:
        """How a film of this size becomes the network's input."""
        return input_frame(self.config.approach.input, height, width)

    def methods(self, asked: Sequence[Method]) -> tuple[Method, ...]:
        """The methods of heat maps that are asked for; for none the usual ones that the network answers.

        Raises:
            ConfigError: The network refuses one.
        """
        return answered_methods(asked, self._cam_problem)

    @cached_property
    def _cam_problem(self) -> str | None:
        return cam_problem(self.classifier, image_size=self.config.approach.input.image_size)

    def part(self, study: OpenStudy, images: pl.DataFrame) -> Part:
        """Rows of the study's table as the network sees them; without targets."""
        pixels = study.store.pixels(self.config.approach.input.store_size)
        return self.part_of(pixels, study.store.rows(images["image_id"]), images)

    def part_of(self, pixels: np.ndarray, rows: np.ndarray, images: pl.DataFrame) -> Part:
        """Rows of shrunk squares (N, S, S) as the network sees them; ``images`` states age, sex and view of each."""
        return Part(
            pixels=pixels,
            rows=rows,
            targets=np.zeros((len(rows), 0), np.float32),
            features=self.scaling.encode(images),
            image_size=self.config.approach.input.image_size,
            evaluation_crop=self.config.approach.input.evaluation_crop,
        )

    def test_rows(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table's rows that the run was tested on."""
        return table[self.split.rows(table, "test")]

    def part_name(self, patient_id: str) -> str | None:
        """The part of the split that a patient is in, or None for a stranger."""
        return next((part for part, patients in self.split.patients.items() if patient_id in set(patients)), None)


def open_study(folder: Path) -> OpenStudy:
    """Open a study to ask its runs.

    Raises:
        StudyError: It is not the folder of a study.
        DataError: Its store is absent or damaged.
    """
    table = read_table(folder)
    settings = runs.read_study_record(folder)["settings"]
    store = open_store(Path(settings.get("store") or folder / STORE_FOLDER))
    return OpenStudy(folder, table, store, Path(settings["data"]))


def chosen_runs(
    study: Path, *, approaches: Sequence[str] = (), splits: Sequence[str] = (), seeds: Sequence[int] = ()
) -> list[RunName]:
    """Finished runs of a study, narrowed to names; an empty list narrows nothing.

    Raises:
        StudyError: There is none, or a name that no finished run has.
    """
    names = runs.finished_runs(study)
    for what, wanted, has in (
        ("approach", approaches, {run.approach for run in names}),
        ("split", splits, {run.split for run in names}),
        ("seed", seeds, {run.seed for run in names}),
    ):
        if unknown := [name for name in wanted if name not in has]:
            listed = ", ".join(map(str, sorted(has))) or "none"
            raise StudyError(f"{study} has no finished run of {what} {unknown[0]!r}; finished: {listed}")
    chosen = [
        run
        for run in names
        if (not approaches or run.approach in approaches)
        and (not splits or run.split in splits)
        and (not seeds or run.seed in seeds)
    ]
    if not chosen:
        raise StudyError(f"{study / runs.RUNS_FOLDER} has no such finished run; train one with `cxrbench run`")
    return chosen


def one_run(study: Path, *, approach: str | None, split: str | None, seed: int) -> RunName:
    """The finished run that is meant; of several splits the first.

    Raises:
        StudyError: There is none, or several approaches and none is named.
    """
    found = chosen_runs(study, approaches=[approach] if approach else (), splits=[split] if split else (), seeds=[seed])
    if len(approaches := sorted({run.approach for run in found})) > 1:
        raise StudyError(f"{study} has runs of several approaches; name one with --approach: {', '.join(approaches)}")
    return found[0]


def load_trained(study: OpenStudy, name: RunName) -> Trained:
    """Rebuild a finished run's network.

    Raises:
        StudyError: Its files are damaged, or belong to another split or store than the study's.
    """
    raw = read_config(study.folder, name)
    path = name.folder(study.folder) / runs.CONFIG_FILE
    config = read_run(raw, where=path).config
    try:
        scaling = FeatureScaling.model_validate(raw.get("feature_scaling"))
    except ValidationError as error:
        raise StudyError(f"{path} is no run's configuration ({error.error_count()} keys do not fit)") from None
    split = read_split(study.folder / runs.SPLITS_FOLDER / f"{name.split}.json")
    for what, ours, theirs in (
        ("split", config.split_digest, split.digest),
        ("store", config.store_digest, study.store.digest),
    ):
        if ours != theirs:
            raise StudyError(
                f"{path}: {name} was made with another {what} ({ours[:12]}) than the study's ({theirs[:12]})"
            )
    return Trained(name, config, scaling, split, _network(config, runs.run_file(study.folder, name, runs.WEIGHTS_FILE)))


def _network(config: RunConfig, path: Path) -> Classifier:
    """The network with the kept weights."""
    classifier = Classifier(config.approach, findings=len(config.findings))
    with readable(path):
        try:
            classifier.load_state_dict(load_file(path))
        except (RuntimeError, SafetensorError) as error:
            raise ValueError(str(error).splitlines()[0]) from None
    return classifier.eval()
