"""Where heat maps of each family of networks peak: on a planted spot, or not.

    OMP_NUM_THREADS=2 python benchmarks/planted_pattern.py

Tiny networks with random weights; the head is fitted in closed form to a bright spot on 160 dark films of 300 x 240
pixels, then head and last block by 40 steps of AdamW. On 20 other films with the spot at random places a hit is a map
whose maximum lies in the cell that holds the place, or in one beside it. Beside it: the same network with random
weights, and the middle of the film on the same grid. Writes ``planted-pattern.md`` to ``benchmarks/results``; about
half an hour on two cores.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import timm
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench.environment import describe_environment, usable_cores  # noqa: E402
from cxrbench.explain.activations import fine_stage, stage_layers  # noqa: E402
from cxrbench.explain.maps import METHODS, OCCLUSION_CELLS, cam_problem  # noqa: E402
from planted import (  # noqa: E402
    FAMILIES,
    PLACES,
    approach_of,
    centre_hits,
    drawn_network,
    fitted_network,
    hits,
    planted_films,
)

RESULTS = HERE / "results" / "planted-pattern.md"
GRADIENTS = ("grad-cam", "layer-cam", "hires-cam")
HEADER = """# Where heat maps peak: a planted spot

Made by `python benchmarks/planted_pattern.py`.

{environment}

Of 20 films with the spot at random places: maps with their maximum in the cell that holds the place, or in one beside
it. `random`: the same network with random weights, head and all. `centre`: the middle of the film on the same grid.
Stage: what gradient methods read, of how many; `*`: the method's own where none is asked for.

| family | method | stage | cells | hits | random | centre |
|---|---|---|--:|--:|--:|--:|
"""


def rows(family: str) -> Iterator[str]:
    """Lines of the table."""
    train, test = planted_films(160, with_spot=0.5, seed=1), planted_films(PLACES, with_spot=1.1, seed=2)
    approach = approach_of(family)
    size = approach.input.image_size
    fitted, random = fitted_network(approach, train, seed=0), drawn_network(approach, seed=1)
    layers = stage_layers(fitted.backbone)
    last, fine = len(layers), fine_stage(fitted.backbone, size)
    for method in METHODS:
        if method == "cam" and (problem := cam_problem(fitted, image_size=size)):
            yield f"| {family} | cam | | | refused: {problem} | | |"
            continue
        for stage in sorted({last, fine}, reverse=True) if method in GRADIENTS else (None,):
            cells = OCCLUSION_CELLS if stage is None and method != "cam" else size // layers[(stage or last) - 1].stride
            counts = [hits(network, approach, test, method, stage=stage) for network in (fitted, random)]
            own = {"grad-cam": last}.get(method, fine)
            said = "" if stage is None else f"{stage} of {last}{' *' * (stage == own)}"
            centre = centre_hits(approach, test, cells=cells)
            yield f"| {family} | {method} | {said} | {cells} x {cells} | {counts[0]} | {counts[1]} | {centre} |"


def main() -> None:
    """Write the table, family by family."""
    environment = describe_environment(device="cpu", threads=torch.get_num_threads())
    environment |= {"cores": usable_cores(), "timm": timm.__version__}
    text = HEADER.format(environment="\n".join(f"- {name}: {value}" for name, value in environment.items()))
    for family in sys.argv[1:] or FAMILIES:
        for row in rows(family):
            text += f"{row}\n"
            print(row, flush=True)
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
