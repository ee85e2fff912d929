"""From films to an int8 export with a tiny network of every family: does each link of the chain hold, and how closely?

    OMP_NUM_THREADS=2 python benchmarks/families.py

A study on films with bright halves trains one approach per family, each with another head in turn. Each is then
bundled, checked, asked about its test films, explained and exported. The tests bound the same numbers: 1e-5 for
predictions, 1e-4 for exports, 0.02 for the AUC in int8. Writes ``families.md`` to ``benchmarks/results``.
"""

import argparse
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import torch

from cxrbench.environment import describe_environment

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from family_chain import CASES, Chain, prepared, run_chain, trained  # noqa: E402
from tiny_networks import FAMILIES  # noqa: E402

RESULTS = HERE / "results" / "families.md"
PACKAGES = ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf")
HEAD = (
    "| family | network | head | parameters | prediction | ONNX | OpenVINO | int8 | AUC | AUC in int8 | seconds |",
    "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
)
ABOUT = (
    "Largest differences of a logit: of films from their files against the run's own predictions, and of each export",
    "against torch, relative where a logit is above 1. The AUC is the mean over the findings of the test part, by",
    "torch and by the int8 export. The findings are bright halves of a film, which every network learns, and the",
    "networks are tiny: it says what int8 changes, no more.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = trained(prepared(CASES, Path(folder), patients=given.patients, epochs=given.epochs))
        rows = []
        for family, head in CASES:
            found = run_chain(study, f"{family}-{head}", Path(folder) / f"{family}-{head}")
            rows.append(row(family, head, found))
            print(rows[-1], flush=True)
    command = f"python benchmarks/families.py --patients {given.patients} --epochs {given.epochs}"
    lines = ["# Every family of networks, from films to int8", "", f"Made by `{command}`.", "", *machine(), ""]
    given.out.write_text("\n".join([*lines, *ABOUT, "", *HEAD, *rows]) + "\n")


def row(family: str, head: str, found: Chain) -> str:
    """One line of the table."""
    [(kind, settings)] = FAMILIES[family][0].items()
    name = settings["model"] if kind == "timm" else "the paper's, narrow"
    differences = (found.predicted, found.onnx, found.openvino, found.int8)
    cells = (
        *(family, name, head, f"{found.parameters:,}"),
        *(f"{value:.1g}" for value in differences),
        *(f"{found.auc:.4f}", f"{found.int8_auc:.4f}", f"{found.seconds:.0f}"),
    )
    return f"| {' | '.join(cells)} |"


def machine() -> list[str]:
    """What the numbers were made with."""
    environment = describe_environment(device="cpu", threads=torch.get_num_threads())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    shown = [f"- {key}: {environment[key]}" for key in ("processor", "cores", "threads", "system", "python")]
    return [*shown, f"- versions: {versions}"]


if __name__ == "__main__":
    main()
