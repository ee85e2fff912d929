"""Pages of small studies, read back: for the tests of the report."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from cxrbench.evaluate import evaluate_study
from cxrbench.evaluate.explanations import sheet_file, write_origin
from cxrbench.explain.localisations import localisation_table
from cxrbench.explain.localising import SCORES_SCHEMA
from cxrbench.explain.sanity import SANITY_SCHEMA
from cxrbench.report import write_report
from fake_study import write_fake_study

FEW = ("Effusion", "Infiltration", "Mass", "No Finding")

VOID = {"meta", "line", "br", "input", "link", "path", "use", "rect", "image"}

STEPS = ("head", *(f"backbone.layer{stage}" for stage in (4, 3, 2, 1)), "backbone.bn1", "backbone.conv1")


class Page(HTMLParser):
    """Elements of a page with their attributes, and text by element; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.headings: list[tuple[str, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3"}:
            self.headings.append((tag, ""))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += data
        if self.open and self.open[-1] in {"h1", "h2", "h3"}:
            level, said = self.headings[-1]
            self.headings[-1] = (level, said + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def small_study(folder: Path, **changes) -> str:
    """Text of the page of the smallest study."""
    write_fake_study(folder, **{"patients": 60, "resamples": 1, "approaches": ["ft"], "findings": FEW, **changes})
    evaluate_study(folder, replicates=0)
    return Page(write_report(folder).read_text(encoding="utf-8")).text


def write_localisation(study, names):
    """Eight films of each finding, on half of which both maps hit; the centre never does."""
    rng = np.random.default_rng(0)
    runs = [{"approach": run.approach, "split": run.split, "seed": run.seed} for run in names]
    rows = [
        {**run, "image_id": f"{finding}{film}", "patient_id": str(film), "finding": finding, "boxes": 1, "logit": 0.0,
         "method": method, "is_hit": method in {"cam", "layer-cam"} and film % 2 == 0, "iou_at_0.25": 0.15,
         "iou_at_0.5": 0.35, "iou_at_0.75": 0.05, "energy": float(rng.random())}
        for run in runs for finding in ("Mass", "Effusion") for film in range(8)
        for method in ("cam", "layer-cam", "centre", "random")
    ]  # fmt: skip
    alike = [
        {**run, "method": "cam", "randomised": step, "cells": 4, "correlation": 0.25, "images": 8, "patients": 8,
         "std_error": 0.1, "lower": 0.05, "upper": 0.45}
        for run in runs for step in STEPS
    ]  # fmt: skip
    folder = study / "localisation"
    (folder / "figures").mkdir(parents=True)
    localisation_table(pl.DataFrame(rows, schema=SCORES_SCHEMA)).write_csv(folder / "localisation.csv")
    pl.DataFrame(alike, schema=SANITY_SCHEMA).write_csv(folder / "sanity.csv")
    for run in names:
        for method in ("cam", "layer-cam"):
            noise = rng.integers(0, 255, (900, 1500, 3), np.uint8)
            Image.fromarray(noise).save(folder / "figures" / sheet_file(run, method))
    write_origin(folder, study, names, {"methods": ["cam", "layer-cam"]})


def page_section(page: str, name: str) -> str:
    return page[page.index(f'<section id="{name}"') :].partition("</section>")[0]
