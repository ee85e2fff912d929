"""The main job on generated films: phantom -> study, small enough for two cores and some minutes."""

from pathlib import Path

from cxrbench.config import SplitPlan, StudySettings
from cxrbench.data.phantom import PhantomSettings, generate_release
from cxrbench.progress import Track, silent

FILMS_FOLDER, STUDY_FOLDER = "films", "study"

FILMS = PhantomSettings(patients=150, seed=1, size_px=256, detail_px=128, prevalence_scale=2.0)
"""Some 350 films, whose small nodules show at the 128 px of `large` far better than at 64 px."""


def generate_films(folder: Path, *, workers: int, track: Track = silent) -> Path:
    """Generate the demo's archive unless it is there; its folder."""
    films = folder / FILMS_FOLDER
    if not films.exists():
        generate_release(films, FILMS, workers=workers, track=track)
    return films


def demo_settings(folder: Path) -> StudySettings:
    """The demo's study: every ResNet-50 approach on two re-samples, a few epochs each."""
    return StudySettings(
        data=folder / FILMS_FOLDER,
        out=folder / STUDY_FOLDER,
        profile="small",
        weights="stand-in",
        splits=SplitPlan(resamples=2),
        overrides={"recipe.epochs": 6},
    )
