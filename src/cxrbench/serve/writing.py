"""A bundle's answer about a film -> the API's document, with what its numbers mean in words."""

from collections.abc import Mapping, Sequence

import polars as pl

from cxrbench.bundle import Bundle
from cxrbench.data.images import Facts
from cxrbench.explain.overlay import Rectangle
from cxrbench.predict import Answer, Given, Prepared
from cxrbench.serve.documents import (
    BundleDocument,
    FactDocument,
    FactsDocument,
    FindingDocument,
    PredictionDocument,
    SeenDocument,
    Source,
)

RARE, SURE = 0.01, 0.99
DECISIONS = {True: "present", False: "absent", None: None}

Moved = Mapping[str, dict[str, float]]
"""Finding -> feature -> by how much it moved the probability."""


def bundle_document(name: str, bundle: Bundle, methods: Sequence[str], *, no_heat_maps: str | None) -> BundleDocument:
    """What the API says of a bundle."""
    return BundleDocument(
        name=name,
        digest=bundle.digest,
        approaches=list(dict.fromkeys(member.run.approach for member in bundle.members)),
        members=len(bundle.members),
        findings=list(bundle.answered),
        not_answered=bundle.record.unanswered,
        features=list(bundle.features),
        methods=list(methods),
        no_heat_maps=no_heat_maps,
        notices=list(bundle.record.notices),
    )


def prediction_document(
    served: BundleDocument,
    bundle: Bundle,
    film: Prepared,
    *,
    answer: Answer,
    facts: FactsDocument,
    moved: Moved,
    seen: Rectangle,
) -> PredictionDocument:
    """What the API says of a film."""
    return PredictionDocument(
        seen=SeenDocument(**dict(zip(("x", "y", "width", "height"), seen, strict=True))),
        bundle=served,
        height=film.height,
        width=film.width,
        facts=facts,
        warnings=list(answer.warnings),
        findings=[_finding(bundle, answer, column, moved.get(name, {})) for column, name in enumerate(bundle.answered)],
    )


def facts_document(header: Facts, given: Given) -> FactsDocument:
    """Age, sex and view as they were used, and where each came from."""
    return FactsDocument(
        age=_fact("age_years", header, given), sex=_fact("sex", header, given), view=_fact("view", header, given)
    )


def moved_of(effects: pl.DataFrame) -> Moved:
    """Effects by finding of the non-image features that are known."""
    moved: dict[str, dict[str, float]] = {}
    known = effects.drop_nulls("value")
    for feature, finding, change in known.select("feature", "finding", "probability_change").iter_rows():
        moved.setdefault(finding, {})[feature] = change
    return moved


def meaning(bundle: Bundle, finding: str, probability: float) -> str:
    """A probability in words."""
    if not bundle.is_calibrated(finding):
        return "Not calibrated: the network's own output. Compare it between films; it is no share of patients."
    of_hundred = "fewer than 1" if probability < RARE else "more than 99" if probability > SURE else (
        f"about {100 * probability:.0f}"
    )  # fmt: skip
    return f"Calibrated: of 100 films of the validation part that get this number, {of_hundred} show it."


def _fact(name: str, header: Facts, given: Given) -> FactDocument:
    value = getattr(given.over(header), name)
    is_given = name in given.unknown or getattr(given, name) is not None
    source: Source = "given" if is_given else "unknown" if value is None else "header"
    return FactDocument(value=value, source=source)


def _finding(bundle: Bundle, answer: Answer, column: int, moved_by: dict[str, float]) -> FindingDocument:
    name = bundle.answered[column]
    probability = float(answer.probabilities[column])
    return FindingDocument.model_validate(
        {
            "finding": name,
            "means_none": bundle.record.vocabulary[name].means_none,
            "probability": probability,
            "is_calibrated": bundle.is_calibrated(name),
            "meaning": meaning(bundle, name, probability),
            "threshold": bundle.record.decisions[name].threshold,
            "decision": DECISIONS[answer.is_present[column]],
            "percentile": round(float(answer.percentiles[column]), 2),
            "moved_by": moved_by,
        }
    )
