"""The model card: what ``bundle.json`` says, for a reader.

Source: Mitchell et al. 2019, doi:10.1145/3287560.3287596.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cxrbench.bundle.record import CARD_FILE, BundleRecord, Member, TestResult
from cxrbench.config import WeightsRecord
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
        ("Training population", _population(record)),
        ("Input", _input(record)),
        ("Probabilities and thresholds", _decisions(record)),
        ("Test results", _results(record)),
        ("Films unlike the training films", _look(record)),
        ("Members", _members(record)),
        ("Pre-trained weights", _pretraining(record)),
        ("Made with", _made_with(record)),
    )
    return "\n\n".join((f"## {title}\n\n" if title else "") + text for title, text in sections) + "\n"


def _head(record: BundleRecord) -> str:
    names = ", ".join(dict.fromkeys(member.run.approach for member in record.members))
    notices = "\n".join(f"> {banner}  " for banner in record.banners)
    return f"# Chest X-ray classifier: {names}\n\n{notices}"


def _use(record: BundleRecord) -> str:
    kind = "one network" if len(record.members) == 1 else f"{len(record.members)} networks, whose answers are averaged"
    return (
        f"Says how likely each of {len(record.findings)} findings is on a frontal chest film: {kind}. For research on "
        "methods: it was not validated for any clinical purpose. Labels mined from reports, as those of the public "
        "archives, are wrong more often than a radiologist's.\n\n"
        "```\ncxrbench check FOLDER\ncxrbench predict FOLDER films/ --out predictions.csv\n```"
    )


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
    rows = [(name, f"{own.positives[name]:,}", _percent(own.prevalence(name))) for name in record.findings]
    return (
        "\n".join(f"- {name}: {what}" for name, what in facts) + "\n\n" + _table(("Finding", "Images", "Share"), rows)
    )


def _shares(counts: dict[str, int]) -> str:
    total = max(sum(counts.values()), 1)
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _input(record: BundleRecord) -> str:
    rows = [
        (
            str(number),
            f"{member.approach.input.store_size} px",
            f"{member.approach.input.image_size} px",
            str(member.approach.input.channels),
            f"{_listed(member.approach.input.normalisation[0])} / {_listed(member.approach.input.normalisation[1])}",
            _features(member),
        )
        for number, member in enumerate(record.members, start=1)
    ]
    return (
        f"A film in grey, bones bright. Geometry: {record.geometry}. Then the centre crop.\n\n"
        + _table(("Member", "Shrunk to", "Crop", "Channels", "Mean / SD of grey 0..1", "Non-image features"), rows)
        + "\n\nA non-image feature that is not known takes the mean of the training part, and the answer a warning."
    )


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _features(member: Member) -> str:
    return ", ".join(member.approach.network.features) or "none"


def _decisions(record: BundleRecord) -> str:
    rows = []
    for name in record.findings:
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
    splits = dict.fromkeys(result.split for result in record.test)
    tables = [
        f"Split `{split}`:\n\n" + _result_table([result for result in record.test if result.split == split])
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


def _pretraining(record: BundleRecord) -> str:
    rows = [
        (str(number), *_origin(member.run.pretraining, is_stand_in=member.run.has_stand_in_weights))
        for number, member in enumerate(record.members, start=1)
    ]
    return _table(("Member", "Started from", "Licence", "Chest X-ray archives seen", "SHA-256"), rows)


def _origin(weights: WeightsRecord | None, *, is_stand_in: bool) -> tuple[str, str, str, str]:
    if weights is None:
        return ("a stand-in" if is_stand_in else "random weights", "", "", "")
    seen = ", ".join(f"{each.archive} ({'with' if each.with_labels else 'without'} labels)" for each in weights.saw)
    licence = weights.licence + (f", seen {weights.licence_seen}" if weights.licence_seen else "")
    return (f"{weights.title} ({weights.source})", licence, seen or "none known", weights.digest[:SHORT])


def _made_with(record: BundleRecord) -> str:
    facts = {name: value[:SHORT] for name, value in record.made_with.items()}
    for what in ("split_digest", "store_digest", "table_digest"):
        facts[what] = ", ".join(dict.fromkeys(getattr(member.run, what)[:SHORT] for member in record.members))
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
