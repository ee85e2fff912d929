"""Type-I error over re-samples: two linear learners, really retrained on each, that are equally good on average.

Each learner sees its own features. Given the label, both sets of features have the same distribution, so neither
recipe can be better, whatever the training set; on a given archive their differences are random all the same.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from cxrbench.stats import student
from cxrbench.stats.comparison import corrected_resampled
from cxrbench.stats.roc import auc
from validation.cells import RESAMPLED_ERROR, Cell, rate
from validation.test_sets import LEVEL, generators

RESAMPLES = (5, 10, 20)
TRAIN, TEST = 0.7, 0.2
PREVALENCE = 0.2
RIDGE = 1.0


@dataclass(frozen=True)
class Archive:
    """A kind of archive and of learner.

    Attributes:
        name: For the result table.
        patients: In the archive.
        own: Features that only one learner sees.
        shared: Features that both see.
        patient: Share of a feature's variance that the images of a patient have in common.
    """

    name: str
    patients: int
    own: int
    shared: int = 0
    patient: float = 0.3


ARCHIVES = (
    Archive("few features", patients=300, own=5),
    Archive("half of the features shared", patients=300, own=5, shared=5),
    Archive("many features, unstable learners", patients=300, own=40),
    Archive("larger archive", patients=1000, own=20),
    Archive("strong patient effects", patients=300, own=10, patient=0.7),
)


def resampled_cells(archive: Archive, *, replicates: int, seed: int) -> list[Cell]:
    """Share of archives on which two equal recipes are told apart, for each number of re-samples."""
    differences = np.array([_differences(archive, rng) for rng in generators(seed, replicates)])
    return [cell for n in RESAMPLES for cell in _cells(archive, differences[:, :n])]


def _cells(archive: Archive, differences: np.ndarray) -> list[Cell]:
    """The corrected test, and the plain t-test as its control."""
    n = differences.shape[1]
    corrected = [corrected_resampled(row, test_to_train=TEST / TRAIN).p_value < LEVEL for row in differences]
    t = differences.mean(axis=1) / (differences.std(axis=1, ddof=1) / np.sqrt(n))
    plain = student.two_sided_p(t, n - 1) < LEVEL
    return [
        Cell(
            setting=f"retrained learners: {archive.name}",
            patients=archive.patients,
            question="difference of two recipes",
            method=method,
            is_control=method == "plain t-test",
            finding=f"{n} re-samples",
            positive_patients=np.nan,
            replicates=len(differences),
            rate=rate(rejected)[0],
            target=RESAMPLED_ERROR,
        )
        for method, rejected in (("corrected re-sampled t", corrected), ("plain t-test", plain))
    ]


def _differences(archive: Archive, rng: np.random.Generator) -> list[float]:
    """Differences (J,) of the two learners' test AUC over re-samples of one archive."""
    code, present, features = _draw(archive, rng)
    return [_difference(code, present, features, _parts(archive.patients, rng)) for _ in range(max(RESAMPLES))]


def _draw(archive: Archive, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """Patient and label of each image, and what each of two learners sees of it."""
    code = np.repeat(np.arange(archive.patients), rng.geometric(0.3, archive.patients))

    def noise(columns: int, share: float) -> np.ndarray:
        """Normal values (N, columns), of whose variance the images of a patient have a share in common."""
        by_patient = rng.standard_normal((archive.patients, columns))[code]
        return np.sqrt(share) * by_patient + np.sqrt(1 - share) * rng.standard_normal((len(code), columns))

    present = noise(1, 0.4)[:, 0] > -ndtri(PREVALENCE)

    def features(columns: int) -> np.ndarray:
        """Features (N, columns) that together separate the classes by one standard deviation."""
        return noise(columns, archive.patient) + present[:, None] / np.sqrt(max(columns, 1))

    common = features(archive.shared)
    return code, present, tuple(np.hstack([common, features(archive.own)]) for _ in range(2))


def _parts(patients: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which patients train, and which test."""
    place = rng.permutation(patients)
    return place < round(TRAIN * patients), place >= patients - round(TEST * patients)


def _difference(
    code: np.ndarray, present: np.ndarray, features: tuple[np.ndarray, ...], parts: tuple[np.ndarray, np.ndarray]
) -> float:
    """Test AUC of the first learner less that of the second, both trained anew."""
    train, test = (part[code] for part in parts)
    first, second = (auc(seen[test] @ _fit(seen[train], present[train]), present[test]) for seen in features)
    return first - second


def _fit(features: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Weights of ridge regression on the label."""
    centred = features - features.mean(axis=0)
    gram = centred.T @ centred + RIDGE * np.eye(features.shape[1])
    return np.linalg.solve(gram, centred.T @ (present - present.mean()))
