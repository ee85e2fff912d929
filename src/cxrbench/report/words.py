"""Numbers and names as a reader meets them."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

MINUS = "−"

NOTHING = "–"
NARROW = "\u202f"
SEEN_MARK = "†"
"""Behind numbers of approaches whose pre-trained weights saw test films."""
CUT_SAID = "An arrow: the interval goes on beyond −1 or 1, which no difference of AUCs can."


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens; fit for ids and file names.

    Accents are dropped. A digest stands for letters of other alphabets, so that two names do not get one slug.
    """
    letters = unicodedata.normalize("NFKD", text.lower())
    own = re.sub(r"[^a-z0-9]+", "-", "".join(each for each in letters if not unicodedata.combining(each))).strip("-")
    if any(each.isalnum() and not each.isascii() for each in letters):
        return f"{own}-{hashlib.sha256(letters.encode()).hexdigest()[:6]}".strip("-")
    return own


def title_of(finding: str) -> str:
    """A finding's name as prose."""
    return {"mean": "Mean of the pathologies", "all images": "All images"}.get(finding, finding.replace("_", " "))


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with a true minus sign; a dash when there is none."""
    return NOTHING if value is None else f"{_rounded(value, digits):.{digits}f}".replace("-", MINUS)


def _rounded(value: float, digits: int) -> float:
    """The same number, but no negative zero."""
    return value if round(value, digits) else 0.0


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, its sign always shown."""
    return NOTHING if value is None else f"{_rounded(value, digits):+.{digits}f}".replace("-", MINUS)


def plus_minus(mean: float | None, sd: float | None, digits: int = 3) -> str:
    """Mean ± SD; the mean alone when there is no SD."""
    return decimal(mean, digits) if sd is None else f"{decimal(mean, digits)} ± {decimal(sd, digits)}"


def interval(lower: float | None, upper: float | None, digits: int = 3) -> str:
    """Lower to upper."""
    return NOTHING if lower is None or upper is None else f"{decimal(lower, digits)} to {decimal(upper, digits)}"


def difference_interval(lower: float | None, upper: float | None) -> str:
    """Interval of a difference of AUCs; an arrow where it goes on beyond -1 or 1, which no difference can."""
    if lower is None or upper is None:
        return NOTHING
    low = f"←\u202f{MINUS}1" if lower < -1 else decimal(lower)
    return f"{low} to {f'1{NARROW}→' if upper > 1 else decimal(upper)}"


def count(value: int | None) -> str:
    """A count with narrow spaces between thousands."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u202f")


def mean_count(values: Sequence[float]) -> str:
    """A mean of counts; with one decimal where it is small and not whole."""
    mean = sum(values) / len(values)
    return decimal(mean, 1) if mean < 10 and mean != round(mean) else count(round(mean))


def p_value(value: float | None) -> str:
    """A p-value as journals print it."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    """Seconds as the two largest units."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def listed(items: list[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def group_title(group: str) -> str:
    """A group of images as prose: ``view=PA`` is ``PA``."""
    kind, _, value = group.partition("=")
    if kind == "age":
        return f"{value.replace('-', '–')} years"
    return {"sex=F": "Female", "sex=M": "Male", "all": "All images"}.get(group, value)


def kind_title(kind: str) -> str:
    """A kind of split as prose."""
    return {
        "resample": "Re-samples by patient",
        "fold": "Cross-validation by patient",
        "official": "Official split",
        "given": "Predictions as given",
    }.get(kind, kind)


def auc_said(row: Mapping[str, float | None]) -> str:
    """A row of ``auc.csv``: the AUC with its interval in brackets, where it has one."""
    if row["lower"] is None:
        return decimal(row["auc"])
    return f"{decimal(row['auc'])} ({decimal(row['lower'])} to {decimal(row['upper'])})"


def percent(share: float, digits: int = 1) -> str:
    """A share of the whole, in per cent."""
    return f"{100 * share:.{digits}f}{NARROW}%"


def short(digest: str) -> str:
    """The first digits of a digest: enough to tell two apart."""
    return digest[:12]


def number(value: int) -> str:
    """A small count in letters."""
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return small[value] if value < len(small) else str(value)
