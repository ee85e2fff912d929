"""Published figures, beside ours only where split and labels match."""

from dataclasses import dataclass
from importlib import resources

import yaml

from cxrbench.config import load_vocabulary
from cxrbench.report.study import Study

RELEASE_IMAGES, RELEASE_PATIENTS = 112_120, 30_805

SPLIT_OF_KIND = {"resample": "random", "fold": "random", "official": "official"}


@dataclass(frozen=True)
class Published:
    """One published mean AUC over the 14 pathologies."""

    name: str
    split: str
    auc: float
    source: str
    caution: str = ""


def read_published() -> list[Published]:
    """All published figures that come with the package."""
    text = (resources.files("cxrbench.report") / "published.yaml").read_text(encoding="utf-8")
    return [Published(**entry) for entry in yaml.safe_load(text)]


def published_beside(kind: str) -> list[Published]:
    """Those on the same kind of split, lowest first."""
    return sorted((one for one in read_published() if one.split == SPLIT_OF_KIND[kind]), key=lambda one: one.auc)


def why_not_comparable(study: Study) -> str | None:
    """Why this study's numbers cannot stand beside published ones, or None when they can."""
    archive = study.record["archive"]
    if archive["is_phantom"]:
        return "these are generated radiographs"
    if not archive["form"].startswith("NIH"):
        return f"the archive is not NIH ChestX-ray14 but {archive['form']}"
    if (archive["images"], archive["patients"]) != (RELEASE_IMAGES, RELEASE_PATIENTS):
        return (
            f"the study has {archive['images']:,} images of {archive['patients']:,} patients, "
            f"the release {RELEASE_IMAGES:,} of {RELEASE_PATIENTS:,}"
        )
    if set(study.findings) != set(load_vocabulary().names):
        return "the study's findings are not those of the release"
    return None
