"""A server under load, against a bare loop over the same model: requests/s, latency, and whether any answer is lost.

    python benchmarks/server.py BUNDLE FILMS [--small BUNDLE FILMS] [--seconds 8] [--requests 10000]

BUNDLE is asked with the films of a folder by 1, 8 and 32 clients at a time, each on a connection of its own, for some
seconds each; the bare loops decode and answer the same films one after the other in one process. ``--small`` is the
bundle (and its films) that the many requests are sent to. Clients, server and loops share the machine's cores.
"""

import argparse
import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from cxrbench.bundle import load_bundle
from cxrbench.data.images import load_grey, read_film
from cxrbench.environment import describe_environment
from cxrbench.predict import Predictor, Request, prepare_film

RESULTS = Path(__file__).parent / "results"
CLIENTS = (1, 8, 32)
FILMS = 24
EDGE = b'--edge\r\nContent-Disposition: form-data; name="film"; filename="f"\r\n\r\n'


@dataclass(frozen=True)
class Measurement:
    """One way of asking."""

    way: str
    bundle: str
    clients: int
    requests: int
    answered: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    films: str = ""


def request_of(film: bytes) -> bytes:
    body = EDGE + film + b"\r\n--edge--\r\n"
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Status of one request on a connection that stays open; 0 where the answer is not a whole document."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    document = json.loads(await reader.readexactly(length))
    status = int(head.split()[1])
    return status if status != 200 or len(document["findings"]) else 0


async def client(
    port: int, requests: list[bytes], *, first: int, until: float, left: list[int]
) -> list[tuple[int, float]]:
    """Ask until the time or the number of requests is used up; (status, seconds) of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    number = first
    while time.perf_counter() < until and left[0] > 0:
        left[0] -= 1
        started = time.perf_counter()
        answers.append((await ask(reader, writer, requests[number % len(requests)]), time.perf_counter() - started))
        number += 1
    writer.close()
    return answers


def load(port: int, requests: list[bytes], *, clients: int, seconds: float, count: int, bundle: str) -> Measurement:
    async def everyone() -> list[list[tuple[int, float]]]:
        left, until = [count], time.perf_counter() + seconds
        return await asyncio.gather(
            *(client(port, requests, first=7 * i, until=until, left=left) for i in range(clients))
        )

    started = time.perf_counter()
    answers = [answer for own in asyncio.run(everyone()) for answer in own]
    took = time.perf_counter() - started
    good = [seconds for status, seconds in answers if status == 200]
    return measured("server", bundle, clients, len(answers), good, took)


def measured(way: str, bundle: str, clients: int, requests: int, latencies: list[float], seconds: float) -> Measurement:
    p50, p99 = (1000 * float(np.percentile(latencies, q)) for q in (50, 99))
    return Measurement(way, bundle, clients, requests, len(latencies), seconds, len(latencies) / seconds, p50, p99)


def bare_loop(folder: Path, films: list[Path], seconds: float) -> list[Measurement]:
    """The model alone on films that are in memory; and with reading and decoding each."""
    predictor = Predictor(load_bundle(folder))
    prepared = [prepare_film(read_film(path), predictor.bundle.store_sizes) for path in films]

    def model(number: int) -> None:
        predictor.predict_prepared([prepared[number % len(prepared)]])

    def whole(number: int) -> None:
        list(predictor.predict_files([Request(path=films[number % len(films)])]))

    return [
        timed(way, folder.name, work, seconds) for way, work in (("model alone", model), ("decode and model", whole))
    ]


def timed(way: str, bundle: str, work: object, seconds: float) -> Measurement:
    for number in range(3):
        work(number)
    started, latencies = time.perf_counter(), []
    while (now := time.perf_counter()) < started + seconds:
        work(len(latencies))
        latencies.append(time.perf_counter() - now)
    return measured(way, bundle, 1, len(latencies), latencies, time.perf_counter() - started)


class Running:
    """``cxrbench serve`` on a free port."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cxrbench", "serve", str(folder), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ},
        )
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def warm(self, requests: list[bytes]) -> None:
        """Let every process start before the clock does."""
        load(self.port, requests, clients=4, seconds=60, count=16, bundle="")

    def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def write(measurements: list[Measurement], out: Path) -> None:
    facts = describe_environment(device="cpu", threads=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    versions = facts.pop("versions")
    facts["torch"] = versions["torch"]
    names = [field.name for field in fields(Measurement)]
    with (out / "server.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*names, *facts])
        for one in measurements:
            values = [getattr(one, name) for name in names]
            writer.writerow(
                [*(f"{value:.3f}" if isinstance(value, float) else value for value in values), *facts.values()]
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("films", type=Path)
    parser.add_argument("--small", type=Path, nargs=2)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    measurements = []
    asked = [(given.bundle, given.films, given.seconds, 10**9, CLIENTS)]
    if given.small:
        asked.append((*given.small, 10**9, given.requests, CLIENTS[-1:]))
    for folder, images, seconds, count, clients in asked:
        films = sorted(images.glob("*.png"))[:FILMS]
        requests = [request_of(path.read_bytes()) for path in films]
        height, width = load_grey(films[0]).shape
        size = f"{width} x {height}"
        found = bare_loop(folder, films, min(seconds, given.seconds))
        server = Running(folder)
        server.warm(requests)
        found += [
            load(server.port, requests, clients=n, seconds=seconds, count=count, bundle=folder.name) for n in clients
        ]
        print(f"{folder.name}: server ended with {server.stop()}")
        measurements += [replace(one, films=size) for one in found]
        given.out.mkdir(parents=True, exist_ok=True)
        write(measurements, given.out)
    for one in measurements:
        print(one)


if __name__ == "__main__":
    main()
