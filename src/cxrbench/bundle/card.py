"""The model card: what ``bundle.json`` says, for a reader.

Source: Mitchell et al. 2019, doi:10.1145/3287560.3287596.
"""

from collections.abc import Sequence
from pathlib import Path

from cxrbench.bundle.card_members import SHORT, member_sections, table
from cxrbench.bundle.record import CARD_FILE, BundleRecord, TestResult
from cxrbench.evaluate.columns import MEAN
from cxrbench.files import write_text


def write_card(record: BundleRecord, folder: Path) -> None:
    """Write the card as Markdown."""
    write_text(folder / CARD_FILE, card(record))


def card(record: BundleRecord) -> str:
    """The card as Markdown."""
    about = member_sections(record)
    sections = (
        ("", _head(record)),
        ("Use", _use(record)),
        ("Findings that it does not answer", _unanswered(record)),
        ("Training population", _population(record)),
        *((title, about[title]) for title in ("Input", "Networks")),
        ("Probabilities and thresholds", _decisions(record)),
        ("Test results", _results(record)),
        ("Films unlike the training films", _look(record)),
        *((title, about[title]) for title in ("Members", "Pre-trained weights", "Code of other packages")),
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
    return "The networks could not learn these.\n\n" + table(("Finding", "Reason"), record.unanswered.items())


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
    return "\n".join(f"- {name}: {what}" for name, what in facts) + "\n\n" + table(("Finding", "Images", "Share"), rows)


def _shares(counts: dict[str, int]) -> str:
    total = max(sum(counts.values()), 1)
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


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
        f"your purpose.{_several(record)}\n\n" + table(("Finding", "Calibrated", "Threshold", "Reason"), rows)
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
        f"Split `{split}`:\n\n" + _resulttable([result for result in shown if result.split == split])
        for split in splits
    ]
    return (
        "On patients of the same archive whom the networks were not trained on; 95 % intervals for new patients, "
        "clustered by patient. Elsewhere expect less. Sensitivity and specificity are those at the threshold.\n\n"
        + "\n\n".join(tables)
        + ("\n\nEach table is of the members of its split." if len(splits) > 1 else "")
    )


def _resulttable(results: Sequence[TestResult]) -> str:
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
    return table(("Finding", "Positive", "AUC", "Sensitivity", "Specificity"), rows)


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


def _made_with(record: BundleRecord) -> str:
    facts = {name: value[:SHORT] for name, value in record.made_with.items()}
    for what in ("split_digest", "store_digest", "table_digest"):
        facts[what] = ", ".join(dict.fromkeys(getattr(member.run, what)[:SHORT] for member in record.members))
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
