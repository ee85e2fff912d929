"""The model card: what ``bundle.json`` says, for a reader.

Source: Mitchell et al. 2019, doi:10.1145/3287560.3287596.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cxrbench.bundle.record import CARD_FILE, BundleRecord, Member, TestResult
from cxrbench.config import Part
from cxrbench.evaluate.discrimination import MEAN
from cxrbench.files import write_text

SHORT = 12
"""Digits of a digest that are shown."""


def write_card(record: BundleRecord, folder: Path) -> None:
    """Write the card as Markdown."""
    write_text(folder / CARD_FILE, card(record))


def card(record: BundleRecord) -> str:
    """The card as Markdown."""
    sections = (
        ("", _head(record)),
        ("Use", _use(record)),
        ("Findings that it does not answer", _unanswered(record)),
        ("Training population", _population(record)),
        ("Input", _input(record)),
        ("Networks", _networks(record)),
        ("Probabilities and thresholds", _decisions(record)),
        ("Test results", _results(record)),
        ("Films unlike the training films", _look(record)),
        ("Members", _members(record)),
        ("Code of other packages", _packages(record)),
        ("Made with", _made_with(record)),
    )
    return "\n\n".join((f"## {title}\n\n" if title else "") + text for title, text in sections if text) + "\n"


def _head(record: BundleRecord) -> str:
    names = ", ".join(dict.fromkeys(member.run.approach for member in record.members))
    notices = "\n".join(f"> {notice}  " for notice in record.notices)
    return f"# Chest X-ray classifier: {names}\n\n{notices}"


def _use(record: BundleRecord) -> str:
    kind = "one network" if len(record.members) == 1 else f"{len(record.members)} networks, whose answers are averaged"
    return (
        f"Says how likely each of {len(record.answered)} findings is on a frontal chest film: {kind}. For research on "
        "methods: it was not validated for any clinical purpose. Labels mined from reports, as those of the public "
        "archives, are wrong more often than a radiologist's.\n\n"
        "```\ncxrbench check FOLDER\ncxrbench predict FOLDER films/ --out predictions.csv\n```"
    )


def _unanswered(record: BundleRecord) -> str:
    """Findings of the study without an answer, and why; empty where there are none."""
    if not record.unanswered:
        return ""
    return "The networks could not learn these.\n\n" + _table(("Finding", "Reason"), record.unanswered.items())


def _population(record: BundleRecord) -> str:
    own, archive = record.population, record.archive
    ages = own.age_quantiles
    said = (
        f"median {ages[50]:.0f} years, middle half {ages[25]:.0f} to {ages[75]:.0f}, all {ages[0]:.0f} to "
        f"{ages[100]:.0f}; {own.children:,} images of patients below 18"
        if ages
        else "not known"
    )
    facts = (
        (
            "Archive",
            f"{archive.name}, read as {archive.form}; {archive.images:,} images of {archive.patients:,} patients",
        ),
        ("Training part", f"{own.images:,} images of {own.patients:,} patients"),
        ("Ages", said),
        ("Sex", _shares(own.sexes)),
        ("View position", _shares(own.views)),
    )
    rows = [(name, f"{own.positives[name]:,}", _percent(own.prevalence(name))) for name in record.answered]
    return (
        "\n".join(f"- {name}: {what}" for name, what in facts) + "\n\n" + _table(("Finding", "Images", "Share"), rows)
    )


def _shares(counts: dict[str, int]) -> str:
    total = max(sum(counts.values()), 1)
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _input(record: BundleRecord) -> str:
    rows = [(str(number), *_seen(member)) for number, member in enumerate(record.members, start=1)]
    head = ("Member", "Shrunk to", "Centre crop", "Network input", "Channels", "Mean / SD of grey 0..1", "Features")
    return (
        f"A film in grey, bones bright. Geometry: {record.geometry}. Then the centre crop, a share of the film's "
        f"padded side.\n\n{_table(head, rows)}\n\nFeatures are age, sex and view position as far as the network "
        "takes them. One that is not known takes the mean of the training part, and the answer a warning."
    )


def _seen(member: Member) -> tuple[str, ...]:
    """How a film becomes the network's input."""
    own = member.approach.input
    mean, sd = own.normalisation
    size, features = f"{own.image_size} px", ", ".join(member.approach.network.features)
    return (
        f"{own.store_size} px",
        f"{own.crop:.1%}",
        size,
        str(own.channels),
        f"{_listed(mean)} / {_listed(sd)}",
        features or "none",
    )


def _networks(record: BundleRecord) -> str:
    """What each network is made of, and started from."""
    parts = [(member.approach.network, member.approach.has_frozen_backbone) for member in record.members]
    rows = [
        (str(number), said(own.backbone), said(own.head), said(own.weights), "head only" if is_frozen else "all")
        for number, (own, is_frozen) in enumerate(parts, start=1)
    ]
    return _table(("Member", "Backbone", "Head", "Started from", "Trained"), rows)


def said(part: Part) -> str:
    """Return a part of a network as a reader is told it: its name, and the settings that are not off or empty."""
    values = part.settings.model_dump(mode="json")
    told = ", ".join(_setting(name, value) for name, value in values.items() if value)
    return f"{part.name} ({told})" if told else part.name


def _setting(name: str, value: Any) -> str:
    """One setting in words: a switch by its name, a list with hyphens."""
    words = name.replace("_", " ")
    if value is True:
        return words
    return f"{words} {'-'.join(map(str, value)) if isinstance(value, list) else value}"


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _decisions(record: BundleRecord) -> str:
    rows = []
    for name in record.answered:
        decision = record.decisions[name]
        reasons = [one.calibrations[name].reason for one in record.members]
        why = "; ".join(dict.fromkeys(filter(None, (*reasons, decision.reason))))
        limit = "none" if decision.threshold is None else f"{decision.threshold:.4f}"
        rows.append((name, "no" if any(reasons) else "yes", limit, why))
    return (
        "Fitted on the validation part, never on test images. Calibrated: Platt's method; otherwise the network's own "
        "output is given. Threshold: Youden's, the largest sum of sensitivity and specificity; choose your own for "
        f"your purpose.{_several(record)}\n\n" + _table(("Finding", "Calibrated", "Threshold", "Reason"), rows)
    )


def _several(record: BundleRecord) -> str:
    if len({member.run.split for member in record.members}) < 2:
        return ""
    return (
        " The members come from several splits, which share no validation part: thresholds and percentiles are the "
        "means over the splits."
    )


def _results(record: BundleRecord) -> str:
    shown = [result for result in record.test if result.finding not in record.withheld]
    splits = dict.fromkeys(result.split for result in shown)
    tables = [
        f"Split `{split}`:\n\n" + _result_table([result for result in shown if result.split == split])
        for split in splits
    ]
    return (
        "On patients of the same archive whom the networks were not trained on; 95 % intervals for new patients, "
        "clustered by patient. Elsewhere expect less. Sensitivity and specificity are those at the threshold.\n\n"
        + "\n\n".join(tables)
        + ("\n\nEach table is of the members of its split." if len(splits) > 1 else "")
    )


def _result_table(results: Sequence[TestResult]) -> str:
    rows = [
        (
            "Mean of the pathologies" if one.finding == MEAN else one.finding,
            "" if one.positives is None else f"{one.positives:,} of {one.images:,}",
            _interval(one.auc, one.auc_lower, one.auc_upper) or (one.auc_reason or ""),
            _interval(one.sensitivity, one.sensitivity_lower, one.sensitivity_upper),
            _interval(one.specificity, one.specificity_lower, one.specificity_upper),
        )
        for one in results
    ]
    return _table(("Finding", "Positive", "AUC", "Sensitivity", "Specificity"), rows)


def _interval(value: float | None, lower: float | None, upper: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if lower is None or upper is None else f"{value:.3f} ({lower:.3f} to {upper:.3f})"


def _look(record: BundleRecord) -> str:
    own = record.pixel_statistics
    return (
        "Each film's 16 x 16 miniature is compared with those of "
        f"{own.films:,} training films; an answer has a warning where the correlation with their mean is below "
        f"{own.lowest_likeness:.2f}, or more than {own.highest_strangeness:.2f} of the variance is not theirs. About "
        "2 % of films like the training films get it too. It finds inverted films and other pictures, not subtle "
        f"differences. Mean grey {_range(own.grey.mean)} and SD {_range(own.grey.sd)} (0..255) hold 99 % of the "
        "training films each; a film clearly beyond, as one that is nearly black, gets a warning."
    )


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.0f} to {ends[1]:.0f}"


def _members(record: BundleRecord) -> str:
    rows = [
        (
            str(number),
            member.run.approach,
            member.run.split,
            str(member.run.seed),
            member.run.profile,
            member.run.hash[:SHORT],
            member.weights.sha256[:SHORT],
        )
        for number, member in enumerate(record.members, start=1)
    ]
    return _table(("Member", "Approach", "Split", "Seed", "Profile", "Settings", "Weights"), rows)


def _packages(record: BundleRecord) -> str:
    """Packages whose code builds the networks; empty where all of it is cxrbench's own."""
    rows = [
        (
            str(number),
            f"{own.kind} {own.part}",
            own.module,
            own.package or "",
            own.version or "",
            (own.sha256 or "")[:SHORT],
        )
        for number, member in enumerate(record.members, start=1)
        for own in member.packages
    ]
    return _table(("Member", "Part", "Module", "Package", "Version", "Sources"), rows) if rows else ""


def _made_with(record: BundleRecord) -> str:
    facts = {name: value[:SHORT] for name, value in record.made_with.items()}
    for what in ("split_digest", "store_digest", "table_digest"):
        facts[what] = ", ".join(dict.fromkeys(getattr(member.run, what)[:SHORT] for member in record.members))
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines)
