"""From films to an int8 export with a tiny network of a family: what tests and the benchmark of families share."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from bright_films import bright_release
from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.config import StudySettings
from cxrbench.predict import Predictor, Request
from cxrbench.study import Materials, carry_out, make_plan, prepare_study
from tiny_networks import FAMILIES, HEADS, tiny_approach

CASES = [(family, list(HEADS)[number % len(HEADS)]) for number, family in enumerate(FAMILIES)]
"""Every family with one of the heads in turn."""
ONE_OF_EACH_KIND = [("convnext", "csra"), ("vit", "attention")]
"""A network of convolutions and one of tokens."""
EXPLAINED_BY = ("grad-cam", "occlusion")


@dataclass(frozen=True)
class Chain:
    """What the chain measured; differences are of logits, the largest over all films and findings.

    Attributes:
        parameters: Of backbone and head.
        predicted: Films from their files against the run's own predictions.
        onnx: The export against torch, relative where a logit is above 1.
        openvino: Likewise.
        int8: Likewise; rounding to 8 bits is seen here.
        auc: Mean over the findings with both classes in the test part, by torch.
        int8_auc: The same, by the int8 export.
        seconds: Wall time of bundle, check, prediction, explanation and exports.
    """

    parameters: int
    predicted: float
    onnx: float
    openvino: float
    int8: float
    auc: float
    int8_auc: float
    seconds: float


def prepared(cases, folder: Path, *, patients: int, epochs: int) -> Materials:
    """A study of films with bright halves and one approach per case, nothing trained yet."""
    bright_release(folder / "films", patients=patients, side=96)
    return prepare_study(settings_of(cases, folder, data=folder / "films", epochs=epochs))


def settings_of(cases, folder: Path, *, data: Path, epochs: int) -> StudySettings:
    """Settings of a study in ``folder`` with one approach per case, from files."""
    files = []
    for family, head in cases:
        raw = tiny_approach(family, head).model_dump(mode="json") | {"name": f"{family}-{head}"}
        files.append(folder / f"{family}-{head}.yaml")
        files[-1].write_text(yaml.safe_dump(raw))
    return StudySettings(
        data=data,
        out=folder / "study",
        approaches=tuple(map(str, files)),
        splits={"resamples": 1},
        overrides={f"recipe.{name}": epochs for name in ("epochs", "halve_after", "stop_after")},  # all of them
        workers=1,
    )


def trained(materials: Materials) -> Path:
    """The folder of the study, all of it trained."""
    outcomes = list(carry_out(make_plan(materials)))
    if failures := [outcome.failure for outcome in outcomes if outcome.failure]:
        raise RuntimeError("; ".join(map(str, failures)))
    return materials.study


def run_chain(study: Path, name: str, folder: Path) -> Chain:
    """Bundle a trained approach, check it, predict, explain and export it."""
    from cxrbench.explain.explaining import Explaining  # noqa: PLC0415 - with the export's packages, where needed
    from cxrbench.explain.explaining_bundles import BundleExplainer  # noqa: PLC0415
    from cxrbench.export import Exporting, export_bundle  # noqa: PLC0415

    started = time.perf_counter()
    runs = choose_runs(study, approaches=[name])
    made = make_bundle(study, runs, folder / "bundle")
    bundle = load_bundle(made.folder)
    own, requests = own_predictions(study, runs[0])
    answers = [one.answer for one in Predictor(bundle, backend="torch").predict_files(requests)]
    logits = np.stack([answer.logits[0] for answer in answers])
    how = Explaining(findings=bundle.findings[:1], methods=EXPLAINED_BY)
    BundleExplainer(bundle).explain(requests[0], folder / "explained", how=how)
    for method in EXPLAINED_BY:
        heat = np.load(folder / "explained" / f"{bundle.findings[0]}-{method}.npy")
        if not np.isfinite(heat).all():
            raise RuntimeError(f"{method} of {name} is not finite")
    members = {
        form: export_bundle(bundle, Exporting(form=form, study=study, max_auc_loss=1.0))[1].members[0]
        for form in ("onnx", "openvino", "openvino-int8")
    }
    classifier = bundle.classifier(bundle.members[0])
    return Chain(
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        predicted=float(np.abs(logits - own.select(bundle.findings).to_numpy()).max()),
        onnx=members["onnx"].largest_difference,
        openvino=members["openvino"].largest_difference,
        int8=members["openvino-int8"].largest_difference,
        auc=float(np.mean([one.torch for one in members["openvino-int8"].auc])),
        int8_auc=float(np.mean([one.exported for one in members["openvino-int8"].auc])),
        seconds=time.perf_counter() - started,
    )


def own_predictions(study: Path, run) -> tuple[pl.DataFrame, list[Request]]:
    """The run's own test predictions, and a request for each of their films."""
    table = pl.read_parquet(study / "table.parquet").select("image_id", "path", "age_years", "sex", "view")
    own = pl.read_parquet(run.folder(study) / "predictions-test.parquet")
    rows = own.join(table, on="image_id", how="left", maintain_order="left")
    requests = [
        Request(path=study.parent / "films" / row["path"], age_years=row["age_years"], sex=row["sex"], view=row["view"])
        for row in rows.iter_rows(named=True)
    ]
    return own, requests
