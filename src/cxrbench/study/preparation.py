"""What all runs of a study share: the table, the store, the splits, pre-trained weights."""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench import __version__
from cxrbench.config import (
    AS_FITS_THE_MACHINE,
    HUB,
    STAND_IN,
    Approach,
    ComputeSettings,
    Profile,
    SplitPlan,
    StudySettings,
    WeightsRecord,
    load_approach,
    load_profile,
    weights_by_approach,
    with_changes,
)
from cxrbench.data.store import Store, prepare_store
from cxrbench.data.tables import Archive, present, read_archive, read_format, require_complete
from cxrbench.environment import usable_cores
from cxrbench.errors import ConfigError, DataError, StudyError
from cxrbench.files import write_json
from cxrbench.progress import Track, silent
from cxrbench.runs import STUDY_FILE, STUDY_SCHEMA, origin_of
from cxrbench.splits import Split, fold_splits, official_split, parts_split, resample_splits
from cxrbench.study.continuation import (
    asked_vocabulary,
    check_continuation,
    earlier_record,
    keep_splits,
    keep_table,
)
from cxrbench.study.outputs import Outputs, settle_outputs
from cxrbench.study.overlap import Films, Overlap, as_records, describe_overlaps, find_overlaps
from cxrbench.study.pretraining import (
    check_networks,
    describe_own_weights,
    describe_weights,
    prepare_weights,
    resolve_inputs,
)

LOCK_FILE = ".lock"
PHANTOM_TRUTH = "truth.parquet"
SHOWN = 5
FILMS_PER_DECODER = 250
"""Films below which another decoding process takes longer to start than it saves."""


@dataclass(frozen=True, kw_only=True)
class Materials:
    """Everything that the runs of a study share, on disk and ready."""

    study: Path
    approaches: tuple[Approach, ...]
    profile: Profile
    seeds: tuple[int, ...]
    table: pl.DataFrame
    table_digest: str
    outputs: Outputs
    store: Store
    splits: tuple[Split, ...]
    notes: tuple[str, ...]
    """What the user should know about the archive, in words."""
    weights: dict[str, tuple[Path, WeightsRecord]]
    """By approach: the file of its pre-trained weights and where they came from."""
    compute: ComputeSettings = AS_FITS_THE_MACHINE

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings that the networks answer, in order."""
        return self.outputs.findings


@contextmanager
def locked(study: Path) -> Iterator[None]:
    """Keep a second process out of the study folder.

    Raises:
        StudyError: Another process works on it.
    """
    study.mkdir(parents=True, exist_ok=True)
    path = study / LOCK_FILE
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(
                f"{study}: another process works on this study; wait for it or choose another --out"
            ) from None
        except OSError:  # over a network, some file systems cannot lock
            pass
        try:
            yield
        finally:
            if list(study.iterdir()) == [path]:  # nothing came of it
                path.unlink()
                study.rmdir()


def prepare_study(settings: StudySettings, *, track: Track = silent) -> Materials:
    """Read the archive and make what is absent of table, weights, store and splits.

    What costs nothing to check is checked first: settings, the archive's completeness, then the weights.

    Raises:
        CxrbenchError: Settings, archive, weights or an earlier state of the study do not allow it.
    """
    profile = load_profile(settings.profile)
    record = earlier_record(settings.out)
    check_continuation(settings, record)
    approaches = tuple(_resolve(name, profile, settings) for name in settings.approaches)
    _require_own_names(settings.approaches, approaches)
    archive = _read(settings, record, track)
    weights = prepare_weights(settings.out, approaches, profile)
    approaches = resolve_inputs(approaches, weights)
    check_networks(approaches)
    records = {name: own for name, (_, own) in weights.items()}
    at_hand = present(archive)
    find_overlaps(
        _films(settings, archive, at_hand, plan_splits(settings.splits, archive, at_hand)), approaches, records
    )
    store = _prepare_store(settings, archive, approaches, track)
    table = archive.table.filter(pl.col("image_id").is_in(store.index["image_id"].implode()))
    splits = plan_splits(settings.splits, archive, table)
    outputs = settle_outputs(settings, record, archive.vocabulary, table, splits)
    table_digest = keep_table(settings.out, table)
    keep_splits(settings.out, splits)
    overlaps = find_overlaps(_films(settings, archive, table, splits), approaches, records)
    _write_study(settings, profile, archive, outputs, records, overlaps, images=table)
    return Materials(
        study=settings.out,
        approaches=approaches,
        profile=profile,
        seeds=settings.seeds,
        table=table,
        table_digest=table_digest,
        outputs=outputs,
        store=store,
        splits=tuple(splits),
        notes=(
            *_notes(archive, store),
            *outputs.notes,
            *describe_weights(records),
            *describe_own_weights(approaches),
            *describe_overlaps(overlaps),
        ),
        weights=weights,
        compute=settings.compute,
    )


def _films(settings: StudySettings, archive: Archive, table: pl.DataFrame, splits: Sequence[Split]) -> Films:
    """What the study holds out."""
    return Films.of(settings.out, archive, is_phantom=_is_phantom(archive), table=table, splits=splits)


def _require_own_names(sources: Sequence[str], approaches: Sequence[Approach]) -> None:
    """Refuse two approaches of one name: their runs would share a folder."""
    first: dict[str, str] = {}
    for source, approach in zip(sources, approaches, strict=True):
        if approach.name in first:
            raise ConfigError(
                f"approaches {first[approach.name]} and {source} are both named {approach.name!r}; rename one"
            )
        first[approach.name] = source


def _resolve(name: str, profile: Profile, settings: StudySettings) -> Approach:
    """A named approach at the profile's size, with the study's own changes of the recipe."""
    approach = profile.apply(_without_hub(load_approach(name), settings.weights))
    # A profile or the study's own changes may name the hub again.
    return _without_hub(with_changes(approach, settings.overrides), settings.weights)


def _without_hub(approach: Approach, weights: str) -> Approach:
    """Return an approach with a study's weights in place of the hub's, unless these are meant."""
    if weights == HUB or approach.network.weights.name != HUB:
        return approach
    return with_changes(approach, {"network.weights": weights if weights == STAND_IN else {"file": weights}})


def _notes(archive: Archive, store: Store) -> tuple[str, ...]:
    """What was missing, unreadable, or treated as unknown."""
    notes = list(archive.notes)
    if archive.missing:
        names = ", ".join(archive.missing[:SHOWN])
        notes.append(f"{len(archive.missing):,} of {archive.table.height:,} listed images are missing (first: {names})")
    if store.failures:
        notes.append(f"{len(store.failures):,} images could not be read and are left out; see store.json")
    return tuple(notes)


def _read(settings: StudySettings, record: Mapping[str, Any], track: Track) -> Archive:
    form = None if settings.table_format is None else read_format(settings.table_format)
    archive = read_archive(
        settings.data, form=form, labels=settings.labels, vocabulary=asked_vocabulary(settings, record), track=track
    )
    require_complete(archive, allow_missing=settings.allow_missing)
    if settings.splits.official and archive.official is None and archive.parts is None:
        raise DataError(
            f"{settings.data}: the official split needs the release's train_val_list.txt and test_list.txt "
            "beside the labels, or labels that name the parts"
        )
    return archive


def _prepare_store(settings: StudySettings, archive: Archive, approaches: Sequence[Approach], track: Track) -> Store:
    sizes = tuple(sorted({approach.input.store_size for approach in approaches}))
    return prepare_store(
        archive,
        settings.store or settings.out / "store",
        sizes=sizes,
        workers=min(usable_cores(), 1 + archive.table.height // FILMS_PER_DECODER),
        allow_missing=settings.allow_missing,
        track=track,
    )


def plan_splits(plan: SplitPlan, archive: Archive, table: pl.DataFrame) -> list[Split]:
    """The splits that the settings ask for, drawn anew."""
    fractions, seed, lists = plan.fractions, plan.seed, archive.official if plan.official else None
    drawn = resample_splits(table, count=plan.resamples, fractions=fractions, seed=seed) if plan.resamples else []
    folds = fold_splits(table, folds=plan.folds, seed=seed) if plan.folds else []
    if lists:
        return [*drawn, *folds, official_split(table, *lists, seed=seed)]
    parts = archive.parts if plan.official else None
    stated = [] if parts is None else [parts_split(table, parts, archive=archive.form.name, seed=seed)]
    return [*drawn, *folds, *stated]


def _is_phantom(archive: Archive) -> bool:
    return (archive.folder / PHANTOM_TRUTH).exists()


def _write_study(
    settings: StudySettings,
    profile: Profile,
    archive: Archive,
    outputs: Outputs,
    records: dict[str, WeightsRecord],
    overlaps: Sequence[Overlap],
    *,
    images: pl.DataFrame,
) -> None:
    # A call with other approaches does not make what earlier ones started from forgotten.
    record = earlier_record(settings.out)
    weights = weights_by_approach(record.get("weights"))
    earlier = record.get("pretraining") or []
    before = [one for one in earlier if one["approach"] not in settings.approaches and one["approach"] not in records]
    facts = {
        "form": archive.form.name,
        "archive": archive.form.archive,
        "is_sample": archive.is_sample,
        "is_phantom": _is_phantom(archive),
        "images_listed": archive.table.height,
        "images_missing": len(archive.missing),
        "missing_first": list(archive.missing[:SHOWN]),
        "images": images.height,
        "patients": images["patient_id"].n_unique(),
        "notes": list(archive.notes),
    }
    write_json(
        settings.out / STUDY_FILE,
        {
            "schema": STUDY_SCHEMA,
            "settings": settings.model_dump(mode="json"),
            "profile": profile.model_dump(mode="json"),
            "archive": facts,
            **outputs.record(),
            "weights": {name: one.model_dump(mode="json") for name, one in {**weights, **records}.items()},
            "pretraining": [*before, *as_records(overlaps)],
            "version": __version__,
            "began_with": origin_of(record) if record else __version__,
        },
    )
