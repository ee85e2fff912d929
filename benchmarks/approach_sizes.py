"""Parameters and floating-point operations of every packaged approach; computed, not measured.

    python benchmarks/approach_sizes.py

Networks are built without memory at their published sizes, for NIH's 15 findings. A multiplication and its addition
are two operations. Counted are convolutions, matrix products and attention, forward, for one film; norms and
activations are not. Writes ``approach_sizes.csv`` to ``benchmarks/results``.
"""

import csv
from importlib import metadata
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from cxrbench.config import (
    BACKBONES,
    Approach,
    approach_names,
    load_approach,
    load_profile,
    load_vocabulary,
    with_changes,
)
from cxrbench.models.classifier import Classifier, described

RESULTS = Path(__file__).parent / "results" / "approach_sizes.csv"
FINDINGS = len(load_vocabulary("nih15").findings)
PACKAGES = ("torch", "timm")


def network_of(approach: Approach) -> Classifier:
    """The approach's network without memory; what the weights would say of its input is left open."""
    channels = approach.input.channels
    known = {"input.mean": [0.5] * channels, "input.std": [0.25] * channels}
    resolved = load_profile("paper").apply(with_changes(approach, known))
    return described(resolved, findings=FINDINGS).eval()


def operations_of(network: Classifier, approach: Approach) -> int:
    """Floating-point operations of one film, forward."""
    size = approach.input.image_size
    film = torch.empty(1, 1, size, size, device="meta")
    features = torch.empty(1, len(approach.network.features), device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(film, features)
    return counter.get_total_flops()


def row(name: str) -> dict[str, object]:
    """One line of the table."""
    approach = load_approach(name)
    network = network_of(approach)
    parameters = list(network.parameters())
    return {
        "approach": name,
        "network": BACKBONES.title(approach.network.backbone).removeprefix("backbone "),
        "head": approach.network.head.name,
        "image_size": approach.input.image_size,
        "parameters": sum(each.numel() for each in parameters),
        "trained_parameters": sum(each.numel() for each in parameters if each.requires_grad),
        "gflops": round(operations_of(network, approach) / 1e9, 2),
        "versions": " ".join(f"{package} {metadata.version(package)}" for package in PACKAGES),
    }


def main() -> None:
    rows = [row(name) for name in approach_names()]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for each in rows:
        print(f"{each['approach']}: {each['parameters']:,} parameters, {each['gflops']} GFLOPs a film")


if __name__ == "__main__":
    main()
