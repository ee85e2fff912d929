"""Codes of cells -> present, absent or not stated, as the format's label policy says."""

from collections.abc import Sequence

import polars as pl

from cxrbench.config import LabelPolicy, Vocabulary
from cxrbench.data.tables.wording import counted, first_of

PRESENT, UNCERTAIN, ABSENT, UNSTATED = 3, 2, 1, 0
"""Codes of cells, so that of several rows of an image the largest counts; a blank cell is null."""

MEANING = {"present": 1, "absent": 0, "unstated": None}


def apply_policy(
    codes: pl.DataFrame, policy: LabelPolicy, *, vocabulary: Vocabulary, stated: Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Give every cell its meaning.

    Args:
        codes: One column per finding.
        policy: What blank and uncertain cells mean.
        vocabulary: The findings, for the one that says that none is present.
        stated: The findings that the file has a place for; the others stay as they are.

    Returns:
        Nullable int8 per finding: 1 present, 0 absent, null not stated; and notes about what the policy did.
    """
    own = {vocabulary.canonical(name) or name: each for name, each in policy.findings.items()}
    meanings = {}
    for name in codes.columns:
        each = own.get(name)
        blank = (each and each.blank) or policy.blank
        uncertain = (each and each.uncertain) or policy.uncertain
        meanings[name] = {PRESENT: 1, ABSENT: 0, UNCERTAIN: MEANING[uncertain], UNSTATED: None, None: MEANING[blank]}
    table = codes.select(
        pl.col(name).replace_strict(meaning, default=None, return_dtype=pl.Int8) for name, meaning in meanings.items()
    )
    implied, notes = _with_none(table, codes, policy, vocabulary, stated)
    return implied, (*_said(codes.select(stated), policy), *notes)


def _said(codes: pl.DataFrame, policy: LabelPolicy) -> tuple[str, ...]:
    """Say which policy was used, where it made a difference."""
    if not codes.width:
        return ()
    rows = codes.select(pl.all_horizontal(pl.all().is_null()).sum()).item()
    blank = sum(codes.null_count().row(0)) - rows * codes.width
    uncertain = codes.select(pl.sum_horizontal((pl.all() == UNCERTAIN).sum())).item()
    words = []
    if rows:
        words.append(f"{counted(rows, 'row')} without labels {_taken(policy.blank)}")
    if blank:
        words.append(f"{counted(blank, 'blank cell')} {_taken(policy.blank)}")
    if uncertain:
        words.append(f"{counted(uncertain, 'uncertain cell')} {_taken(policy.uncertain)}")
    if not words:
        return ()
    own = f"; its own for {first_of(sorted(policy.findings))}" if policy.findings else ""
    return (f"label policy: {', '.join(words)}{own}",)


def _taken(meaning: str) -> str:
    return "not stated" if meaning == "unstated" else f"taken as {meaning}"


def _with_none(
    table: pl.DataFrame, codes: pl.DataFrame, policy: LabelPolicy, vocabulary: Vocabulary, stated: Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The label that says that nothing is present, and the findings beside it, as far as one implies the other."""
    none = vocabulary.none_present
    others = [name for name in vocabulary.pathologies if name != none and name in stated]
    if none is None or none not in table.columns or not others:
        return table, ()
    before = table
    if policy.no_finding != "as stated" and none in stated:
        table = _implied(table, codes, none, others)
    if policy.no_finding == "derived":
        all_absent = pl.all_horizontal(pl.col(others) == 0)
        derived = (
            pl.when(all_absent).then(1).when(pl.any_horizontal(pl.col(others) == 1)).then(0).otherwise(pl.col(none))
        )
        table = table.with_columns(derived.cast(pl.Int8).alias(none))
    return table, (*_note_implied(before, table, none, others), *_contradictions(table, none, others))


def _implied(table: pl.DataFrame, codes: pl.DataFrame, none: str, others: list[str]) -> pl.DataFrame:
    """Blank pathologies are absent beside the label, and the blank label is absent beside a pathology."""
    is_none, has_any = table[none] == 1, table.select(pl.any_horizontal(pl.col(others) == 1)).to_series()
    beside = [table[name].set((is_none & codes[name].is_null()).fill_null(value=False), 0) for name in others]
    is_blank = table[none].is_null() & (codes[none].is_null() | (codes[none] == UNSTATED))
    return table.with_columns(*beside, table[none].set((has_any & is_blank).fill_null(value=False), 0))


def _note_implied(before: pl.DataFrame, table: pl.DataFrame, none: str, others: list[str]) -> tuple[str, ...]:
    """Say how many cells the label gave a meaning, and how many gave it one."""
    changed = {name: int(before[name].ne_missing(table[name]).sum()) for name in (none, *others)}
    of_none, of_others = changed.pop(none), sum(changed.values())
    beside = f'"{none}" implies: {counted(of_others, "blank cell")} of findings absent' if of_others else ""
    own = f'"{none}" follows from the findings of {counted(of_none, "row")}' if of_none else ""
    return tuple(note for note in (beside, own) if note)


def _contradictions(table: pl.DataFrame, none: str, others: list[str]) -> tuple[str, ...]:
    """A note when the label that says that nothing is present stands beside a finding."""
    both = table.select(((pl.col(none) == 1) & (pl.max_horizontal(others) == 1)).sum()).item()
    return (f'{counted(both, "image")} with "{none}" beside a finding',) if both else ()
