"""Where heat maps of each family of networks peak: on a planted spot, or not.

    OMP_NUM_THREADS=2 python benchmarks/planted_pattern.py

Tiny networks with random weights; the head is fitted in closed form to a bright spot on 480 dark films of 300 x 240
pixels, then head and last block by 160 steps of AdamW. On 20 other films with the spot at random places a hit is a map
whose maximum lies in the cell that holds the place, or in one beside it. Beside it: the same network with random
weights, and the middle of the film on the same grid. Writes ``planted-pattern.md`` to ``benchmarks/results``; about
a quarter of an hour of processor time, most of it for occlusion.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import timm
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cxrbench.config import Approach  # noqa: E402
from cxrbench.environment import describe_environment  # noqa: E402
from cxrbench.explain.activations import fine_stage, stage_layers  # noqa: E402
from cxrbench.explain.maps import OCCLUSION_CELLS, Method, cam_problem, default_stage  # noqa: E402
from cxrbench.models.backbone import Layer  # noqa: E402
from cxrbench.models.classifier import Classifier  # noqa: E402
from planted import (  # noqa: E402
    FAMILIES,
    FILMS,
    PLACES,
    approach_of,
    centre_hits,
    drawn_network,
    fitted_network,
    hits,
    planted_films,
)

GRADIENT_METHODS: tuple[Method, ...] = ("grad-cam", "layer-cam", "hires-cam")
RESULTS = HERE / "results" / "planted-pattern.md"
HEADER = """# Where heat maps peak: a planted spot

Made by `python benchmarks/planted_pattern.py`.

{environment}

Of 20 films with the spot at random places: maps with their maximum in the cell that holds the place, or in one beside
it. `random`: the same network with random weights, head and all; occlusion, with its many
passes, was not asked of it. `centre`: the middle of the film on the same grid.
Stage: what gradient methods read, of how many; `*`: the method's own where none is asked for.

| family | method | stage | cells | hits | random | centre |
|---|---|---|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Fitted:
    """A family's network, fitted to the spot, and one that learnt nothing."""

    family: str
    approach: Approach
    network: Classifier
    random: Classifier

    @classmethod
    def of(cls, family: str) -> Self:
        """Draw and fit."""
        approach = approach_of(family)
        train = planted_films(FILMS, with_spot=0.5, seed=1)
        return cls(family, approach, fitted_network(approach, train, seed=0), drawn_network(approach, seed=1))

    @property
    def size(self) -> int:
        """Side of the input."""
        return self.approach.input.image_size

    @property
    def own_stages(self) -> dict[Method, int]:
        """The stage that each gradient method reads where none is asked for."""
        return {method: default_stage(self.network.backbone, method, self.size) for method in GRADIENT_METHODS}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Shallow to deep."""
        return stage_layers(self.network.backbone)

    def lines(self) -> Iterator[str]:
        """The table's lines of all methods but occlusion."""
        if problem := cam_problem(self.network, image_size=self.size):
            yield f"| {self.family} | cam | | | refused: {problem} | | |"
        else:
            yield self._line("cam", None, self.size // self.layers[-1].stride)
        for method, own in self.own_stages.items():
            for stage in sorted({len(self.layers), fine_stage(self.network.backbone, self.size)}, reverse=True):
                is_own = " *" if stage == own else ""
                told = f"{stage} of {len(self.layers)}{is_own}"
                yield self._line(method, stage, self.size // self.layers[stage - 1].stride, told)

    def occlusion_line(self) -> str:
        """The line of occlusion; a network that learnt nothing is not asked, for its many passes."""
        return self._line("occlusion", None, OCCLUSION_CELLS, has_random=False)

    def _line(self, method: Method, stage: int | None, cells: int, told: str = "", *, has_random: bool = True) -> str:
        test = planted_films(PLACES, with_spot=1.1, seed=2)
        networks = (self.network, self.random) if has_random else (self.network,)
        counts = [str(hits(network, self.approach, test, method, stage=stage)) for network in networks]
        fitted, random = counts if has_random else (*counts, "")
        centre = centre_hits(self.approach, test, cells=cells)
        return f"| {self.family} | {method} | {told} | {cells} x {cells} | {fitted} | {random} | {centre} |"


def main() -> None:
    """Write the table as it grows: all families, then occlusion, which takes most of the time."""
    environment = describe_environment(device="cpu", threads=torch.get_num_threads())
    versions = environment.pop("versions")
    environment |= {**(versions if isinstance(versions, dict) else {}), "timm": timm.__version__}
    header = HEADER.format(environment="\n".join(f"- {name}: {value}" for name, value in environment.items()))
    lines: dict[str, list[str]] = {}
    fitted = []
    for family in FAMILIES:
        fitted.append(Fitted.of(family))
        lines[family] = list(fitted[-1].lines())
        write(header, lines)
    for one in fitted:
        lines[one.family].append(one.occlusion_line())
        write(header, lines)


def write(header: str, lines: dict[str, list[str]]) -> None:
    """Replace the result."""
    RESULTS.write_text(header + "".join(f"{line}\n" for own in lines.values() for line in own), encoding="utf-8")


if __name__ == "__main__":
    main()
