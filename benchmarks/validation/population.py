"""Patients like those of ChestX-ray14: how many images each has, and how many of them show each finding."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

COUNTS = Path(__file__).parents[1] / "nih_clusters.csv"


@dataclass(frozen=True)
class Patients:
    """Patients of one simulated test set: ``images`` (P,), ``positives`` (P, L)."""

    images: np.ndarray
    positives: np.ndarray

    def rows(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Patient (N,) and labels (N, L) of every image; the positives are a run of images at a random place."""
        code = np.repeat(np.arange(len(self.images)), self.images)
        within = np.arange(len(code)) - np.repeat(np.cumsum(self.images) - self.images, self.images)
        offset = (rng.random(self.positives.shape) * self.images[:, None]).astype(np.int64)
        place = (within[:, None] - offset[code]) % self.images[code, None]
        return code, place < self.positives[code]


@dataclass(frozen=True)
class Population:
    """How often a patient has so many images and so many positive ones.

    Attributes:
        findings: (L,) names.
        images: (R,) ascending.
        positives: (R,).
        patients: (R, L) patients with that many of each, per finding.
    """

    findings: tuple[str, ...]
    images: np.ndarray
    positives: np.ndarray
    patients: np.ndarray

    @classmethod
    def read(cls, part: str) -> "Population":
        """One part of the release: ``archive`` or ``official test``."""
        table = pl.read_csv(COUNTS).filter(pl.col("part") == part).drop("part")
        findings = tuple(table.columns[2:])
        return cls(
            findings, table["images"].to_numpy(), table["positives"].to_numpy(), table.select(findings).to_numpy()
        )

    def draw(self, rng: np.random.Generator, n: int) -> Patients:
        """Patients drawn with replacement: the number of images first, then the positives of each finding given it."""
        sizes, starts = np.unique(self.images, return_index=True)
        of_size = np.add.reduceat(self.patients[:, 0], starts)
        size = rng.choice(len(sizes), n, p=of_size / of_size.sum())
        before = np.cumsum(of_size) - of_size
        upto = np.cumsum(self.patients, axis=0)
        picks = before[size, None] + rng.random((n, len(self.findings))) * of_size[size, None]
        rows = np.stack([np.searchsorted(upto[:, k], picks[:, k], side="right") for k in range(picks.shape[1])], axis=1)
        return Patients(sizes[size], self.positives[rows])

    def image_shares(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sizes (S,) of patients, and their share of all positive and of all negative images, each (S, L)."""
        sizes, starts = np.unique(self.images, return_index=True)
        positive = np.add.reduceat(self.patients * self.positives[:, None], starts, axis=0)
        negative = np.add.reduceat(self.patients * (self.images - self.positives)[:, None], starts, axis=0)
        return sizes, positive / positive.sum(axis=0), negative / negative.sum(axis=0)

    def standard_size(self, images: np.ndarray) -> np.ndarray:
        """Logarithm of the number of images, in standard deviations over patients from their mean."""
        logs, weights = np.log(self.images), self.patients[:, 0] / self.patients[:, 0].sum()
        mean = weights @ logs
        return (np.log(images) - mean) / np.sqrt(weights @ (logs - mean) ** 2)
