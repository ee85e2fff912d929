"""A form's fields -> what is asked, checked."""

import math
import re
from collections.abc import Mapping
from typing import Final, Literal

from cxrbench.predict.preparation import Given
from cxrbench.serve.refusals import bad_form

KNOWN = ("age", "sex", "view")
UNKNOWN = "unknown"
"""In place of age, sex or view: it is not known, whatever the header says."""
ATTRIBUTES = {"age": "age_years"}
"""Of what is given, where it is named otherwise than the field."""
OLDEST = 120
VIEW = re.compile(r"[A-Z][A-Z0-9 _-]{0,15}")

HeatMethod = Literal["cam", "grad-cam", "layer-cam", "hires-cam"]
CAM: Final = "cam"
HEAT_METHODS: tuple[HeatMethod, ...] = (CAM, "grad-cam", "layer-cam", "hires-cam")
"""Of heat maps; occlusion is left out, as it takes hundreds of passes."""


def given_in(fields: Mapping[str, str]) -> Given:
    """What the form says of patient and exposure.

    Raises:
        Refusal: Which field, and what may be in it.
    """
    unknown = {name for name in KNOWN if fields.get(name, "").lower() == UNKNOWN}
    known = {name: fields[name] for name in KNOWN if name in fields and name not in unknown}
    sex, view = (known.get(name, "").upper() or None for name in ("sex", "view"))
    if sex not in {None, "F", "M"}:
        raise bad_form(f"sex {sex!r}", f"send F, M or {UNKNOWN}, or leave it out")
    if view is not None and not VIEW.fullmatch(view):
        raise bad_form(f"view {view!r}", f"send the view position's code word (PA, AP) or {UNKNOWN}, or leave it out")
    withheld = frozenset(ATTRIBUTES.get(name, name) for name in unknown)
    return Given(age_years=_age(known.get("age")), sex=sex, view=view, unknown=withheld)


def _age(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not 0 <= age <= OLDEST:
        raise bad_form(f"age {text!r}", f"send years, 0 to {OLDEST}, or {UNKNOWN}, or leave it out")
    return age


def chosen(fields: Mapping[str, str], name: str, valid: tuple[str, ...], *, default: str | None = None) -> str:
    """One of several words; the default where the field is not there.

    Raises:
        Refusal: Not one of them, or absent without a default.
    """
    value = fields.get(name, default)
    if value not in valid:
        said = f"{name} {value!r} is unknown" if value else f"{name} is missing"
        raise bad_form(said, f"send one of {', '.join(valid)}")
    return value
