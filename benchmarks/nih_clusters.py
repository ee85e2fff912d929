"""Count how many images, and how many with each finding, ChestX-ray14 holds of a patient.

    python benchmarks/nih_clusters.py --data FOLDER_WITH_THE_RELEASE_CSV

writes ``nih_clusters.csv``: per part of the release and (images, positives) of a patient, the number of such patients
for each finding. The simulations draw their patients from it, so that they run without the archive.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from cxrbench.config import load_vocabulary

NIH = load_vocabulary().names

OUT = Path(__file__).parent / "nih_clusters.csv"


def composition(labels: pl.DataFrame) -> list[list[int]]:
    """Rows: images and positives of a patient, then the number of such patients per finding."""
    patients = labels.group_by("Patient ID").agg(
        pl.len().alias("images"),
        *(pl.col("Finding Labels").str.split("|").list.contains(finding).sum().alias(finding) for finding in NIH),
    )
    counts: Counter[tuple[int, int, str]] = Counter()
    for finding in NIH:
        counts.update((images, positives, finding) for images, positives in patients.select("images", finding).rows())
    kinds = sorted({(images, positives) for images, positives, _ in counts})
    return [[images, positives, *(counts[images, positives, f] for f in NIH)] for images, positives in kinds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with Data_Entry_2017_v2020.csv, test_list.txt")
    data = parser.parse_args().data
    labels = pl.read_csv(data / "Data_Entry_2017_v2020.csv", infer_schema=False)
    test = np.loadtxt(data / "test_list.txt", dtype=str).tolist()
    parts = {"archive": labels, "official test": labels.filter(pl.col("Image Index").is_in(test))}
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["part", "images", "positives", *NIH])
        for part, rows in parts.items():
            writer.writerows([part, *row] for row in composition(rows))


if __name__ == "__main__":
    main()
