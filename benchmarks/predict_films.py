"""``predict`` from files to answers: native films of 1024 px through a full-size network.

    python benchmarks/predict_films.py BUNDLE FOLDER

Films are read and shrunk by processes of their own while the networks answer, as ``cxrbench predict`` does; then, in
one process, each part is timed alone, which says where the time goes. Writes ``predict_films.csv`` to
``benchmarks/results``.
"""

import argparse
import time
from pathlib import Path

import polars as pl

from cxrbench.bundle import load_bundle
from cxrbench.environment import describe_environment, usable_cores
from cxrbench.predict import Predictor, Prepared, gather
from cxrbench.predict.decoding import decoded

RESULTS = Path(__file__).parent / "results" / "predict_films.csv"
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("films", type=str)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--backends", nargs="+", default=["auto", "torch"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    bundle, requests = load_bundle(given.bundle), gather([given.films])[: given.count]
    started = time.process_time()
    films = [film for _, film in decoded(requests, bundle.store_sizes, workers=0) if isinstance(film, Prepared)]
    decoding = time.process_time() - started
    rows = []
    for backend in given.backends:
        predictor = Predictor(bundle, backend=backend)
        started = time.perf_counter()
        answered = sum(one.answer is not None for one in predictor.predict_files(requests, workers=usable_cores()))
        wall = time.perf_counter() - started
        started = time.process_time()
        for first in range(0, len(films), BATCH):
            predictor.predict_prepared(films[first : first + BATCH])
        answering = time.process_time() - started
        rows.append(
            {
                "approach": bundle.members[0].run.approach,
                "backend": predictor.backend,
                "films": len(requests),
                "answered": answered,
                "seconds": round(wall, 1),
                "films_per_second": round(len(requests) / wall, 2),
                "decoding_cpu_seconds": round(decoding, 1),
                "answering_cpu_seconds": round(answering, 1),
                "decoding_share": round(decoding / (decoding + answering), 3),
            }
        )
    told = describe_environment(device="cpu", threads=usable_cores())
    machine = {name: told[name] for name in ("processor", "cores")} | {"torch": told["versions"]["torch"]}
    pl.DataFrame([row | machine for row in rows]).write_csv(given.out)
    print(pl.DataFrame(rows))


if __name__ == "__main__":
    main()
