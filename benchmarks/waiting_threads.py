"""How long should a thread that waits for the others keep its core: alone on the machine, and beside busy processes?

    python benchmarks/waiting_threads.py

Training steps of the small ResNet that profile ``small`` uses, on all cores, each way in a process of its own, since
OpenMP looks at its settings once. The ways take turns; a row per way with the medians. ``beside others`` runs as many
processes that never rest as there are cores. Writes ``results/waiting_threads.csv``.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from cxrbench.environment import PATIENCE, describe_environment, usable_cores

OUT = Path(__file__).parent / "results" / "waiting_threads.csv"
WAYS = {
    "as OpenMP comes": {},
    "sleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "as cxrbench sets it": PATIENCE,
}
STEPS, WARM_UP = 100, 20


def time_steps() -> None:
    """Milliseconds a step, on stdout."""
    import torch  # noqa: PLC0415 - OpenMP's settings are those of the process

    from cxrbench.config import (  # noqa: PLC0415
        load_approach,
        load_profile,
        load_vocabulary,
    )
    from cxrbench.models.classifier import build_classifier  # noqa: PLC0415
    from cxrbench.training.losses import masked_loss  # noqa: PLC0415

    torch.set_num_threads(usable_cores())
    approach = load_profile("small").apply(load_approach("1channel"))
    network = build_classifier(approach, findings=len(load_vocabulary().names), seed=0, weights=None).train()
    network.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(network.parameters(), fused=True)
    batch, size = approach.recipe.batch_size, approach.input.image_size
    films, features = torch.rand(batch, 1, size, size), torch.zeros(batch, 0)
    targets = (torch.rand(batch, len(load_vocabulary().names)) < 0.2).float()
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            started = time.perf_counter()
        adam.zero_grad()
        masked_loss(network(films, features), targets).backward()
        adam.step()
    print((time.perf_counter() - started) / STEPS * 1000)


def measured(settings: dict[str, str]) -> float:
    """Milliseconds a step in a process of its own."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "--one"]
    return float(subprocess.run(command, env=others | settings, capture_output=True, text=True, check=True).stdout)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Some processes that never rest."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        time_steps()
        return
    import polars as pl  # noqa: PLC0415

    machine = describe_environment(device="cpu", threads=usable_cores())
    facts = {name: machine[name] for name in ("processor", "cores", "python")} | {"torch": machine["versions"]["torch"]}
    rows = []
    for where, others in (("alone", 0), ("beside others", usable_cores())):
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        with busy(others):
            for number in range(options.rounds):
                for way, settings in WAYS.items():
                    taken[way].append(measured(settings))
                print(where, number + 1, {way: round(times[-1], 1) for way, times in taken.items()}, flush=True)
        for way, times in taken.items():
            row = {"where": where, "way": way, "milliseconds": round(median(times), 1), "rounds": options.rounds}
            rows.append(row | facts)
    pl.DataFrame(rows).write_csv(OUT)


if __name__ == "__main__":
    main()
