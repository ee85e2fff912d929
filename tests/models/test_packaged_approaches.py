"""Every packaged approach builds at both sizes, and those of the field say in their file what they are from."""

import csv
import re
from pathlib import Path

import pytest
import torch

from cxrbench.config import PAPER_APPROACHES, approach_names, approach_text, load_approach, load_profile, with_changes
from cxrbench.models.classifier import Classifier, described

ROOT = Path(__file__).parents[2]
OF_THE_PAPER = (*PAPER_APPROACHES, "ots-cached", "ots-cached-meta")
OF_THE_FIELD = [name for name in approach_names() if name not in OF_THE_PAPER and not name.startswith("resnet")]
KEYS = ("source", "published", "size", "cost", "not reproduced")
FINDINGS = 15

with (ROOT / "benchmarks/results/approach_sizes.csv").open(encoding="utf-8") as sizes:
    SIZES = {row["approach"]: row for row in csv.DictReader(sizes)}


def resolved(name, profile):
    """An approach at a profile's size, with an input's mean and spread in place of what its weights would say."""
    approach = load_approach(name)
    known = {"input.mean": [0.5] * approach.input.channels, "input.std": [0.25] * approach.input.channels}
    return load_profile(profile).apply(with_changes(approach, known))


def header(name):
    """The keys of a file's comments, and what they say."""
    comments = [line.removeprefix("#").strip() for line in approach_text(name).splitlines() if line.startswith("#")]
    parts = re.split(rf"(?:^| )({'|'.join(KEYS)}): ", " ".join(comments))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("profile", ["paper", "small"])
@pytest.mark.parametrize("name", approach_names())
def test_every_approach_gives_one_logit_per_finding(name, profile):
    approach = resolved(name, profile)
    network = described(approach, findings=FINDINGS).eval()
    film = torch.empty(2, 1, approach.input.image_size, approach.input.image_size, device="meta")
    features = torch.empty(2, len(approach.network.features), device="meta")
    assert network(film, features).shape == (2, FINDINGS)


@pytest.mark.parametrize("name", OF_THE_FIELD)
def test_a_small_sibling_is_of_the_same_kind_and_learns(name):
    full, small = resolved(name, "paper"), resolved(name, "small")
    assert small.network.backbone.name == full.network.backbone.name
    assert (small.network.head, small.network.weights) == (full.network.head, full.network.weights)
    assert small.input.crop == pytest.approx(full.input.crop, abs=0.02)
    assert (small.recipe.loss, small.augmentation.flip) == (full.recipe.loss, full.augmentation.flip)
    assert small.augmentation.operations == full.augmentation.operations
    torch.manual_seed(0)
    network = Classifier(small, findings=3)
    assert sum(each.numel() for each in network.parameters()) < 4e6
    film = torch.rand(4, 1, small.input.image_size, small.input.image_size)
    network(film, torch.empty(4, 0)).square().mean().backward()
    gradients = [each.grad for each in network.parameters() if each.requires_grad]
    assert all(each is not None and each.isfinite().all() for each in gradients)


@pytest.mark.parametrize("name", OF_THE_FIELD)
def test_the_file_is_headed_by_where_it_is_from(name):
    said = header(name)
    assert tuple(said) == KEYS
    assert re.search(r"https://|doi:", said["source"])
    assert said["published"].startswith("none published") or re.search(r"0\.\d{3}.*split.*epoch", said["published"])


@pytest.mark.parametrize("name", approach_names())
def test_the_committed_table_counts_the_parameters(name):
    network = described(resolved(name, "paper"), findings=FINDINGS)
    parameters = list(network.parameters())
    assert int(SIZES[name]["parameters"]) == sum(each.numel() for each in parameters)
    assert int(SIZES[name]["trained_parameters"]) == sum(each.numel() for each in parameters if each.requires_grad)


@pytest.mark.parametrize("name", OF_THE_FIELD)
def test_the_header_gives_the_sizes_of_the_table(name):
    said, row = header(name)["size"], SIZES[name]
    parameters, gflops = re.search(r"([\d.]+) million parameters.* ([\d.]+) GFLOPs a film", said).groups()
    assert float(parameters) == pytest.approx(int(row["parameters"]) / 1e6, abs=0.005)
    assert float(gflops) == float(row["gflops"])


def test_the_docs_list_them_all():
    page = (ROOT / "docs/approaches.md").read_text(encoding="utf-8")
    assert [name for name in OF_THE_FIELD if f"`{name}`" not in page] == []
