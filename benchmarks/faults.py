"""What becomes of damaged films: 1,000 altered PNG and DICOM files through the reading of ``predict``.

    python benchmarks/faults.py

Sources are generated films and pydicom's test files; bytes are flipped, ends are cut, sizes in the header are made huge
(tests/mutated_films.py, seeded). Each file is to be answered or refused, in its decoding process's limits of 2 GiB and
60 s, and no process is to crash. Writes ``faults.csv`` to ``benchmarks/results``.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench.data.sandbox import KILLED  # noqa: E402
from cxrbench.environment import describe_environment  # noqa: E402
from cxrbench.predict import Prepared, Request  # noqa: E402
from cxrbench.predict.decoding import decoded  # noqa: E402
from mutated_films import Mutant, mutants  # noqa: E402

ANSWERED, REFUSED, ENDED, MEMORY = "answered", "refused", "decoder ended", "too much memory"
SIZES = (256, 480)


def outcome_of(found: Prepared | str) -> str:
    """What became of one file."""
    if isinstance(found, Prepared):
        return ANSWERED
    if found == KILLED:
        return ENDED
    return MEMORY if "more memory" in found else REFUSED


def read_all(altered: list[Mutant], folder: Path, workers: int) -> tuple[list[Prepared | str], float]:
    """What became of each file, and the longest wait for one, seconds."""
    requests = []
    for number, mutant in enumerate(altered):
        path = folder / f"{number:04}-{mutant.file}"
        path.write_bytes(mutant.content)
        requests.append(Request(path=path))
    found, longest, before = [], 0.0, None
    for _, outcome in decoded(requests, SIZES, workers=workers):
        now = time.perf_counter()
        longest = max(longest, now - before) if before else 0.0  # the first also waits for the processes to start
        before = now
        found.append(outcome)
    return found, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "faults.csv")
    given = parser.parse_args()
    altered = list(mutants(given.files, seed=given.seed))
    with tempfile.TemporaryDirectory() as folder:
        found, longest = read_all(altered, Path(folder), given.workers)
    counts = Counter((m.source.kind, m.mutation, outcome_of(one)) for m, one in zip(altered, found, strict=True))
    for mutant, one in zip(altered, found, strict=True):
        if outcome_of(one) in {ENDED, MEMORY}:
            print(f"{mutant.file}: {one}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    told = describe_environment(device="cpu", threads=1)
    machine = {name: told[name] for name in ("processor", "cores")} | {"pydicom": told["versions"]["pydicom"]}
    rows = [
        {"kind": kind, "mutation": mutation, "files": sum(counts[kind, mutation, name] for name in OUTCOMES)}
        | {name: counts[kind, mutation, name] for name in OUTCOMES}
        | {"longest_wait_s": round(longest, 2), "peak_memory_gib": round(peak, 2), "seed": given.seed, **machine}
        for kind, mutation in dict.fromkeys((kind, mutation) for kind, mutation, _ in sorted(counts))
    ]
    pl.DataFrame(rows).write_csv(given.out)
    print(pl.DataFrame(rows).drop(*machine))


OUTCOMES = (ANSWERED, REFUSED, MEMORY, ENDED)

if __name__ == "__main__":
    main()
