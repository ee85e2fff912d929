"""Former place of functions about a study's record, for the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cxrbench.config import Vocabulary
from cxrbench.config import recorded_vocabulary as of_record
from cxrbench.evaluate.reading import left_out_reasons


def recorded_vocabulary(record: Mapping[str, Any], findings: Sequence[str], *, where: str) -> Vocabulary:
    """Return the vocabulary of some findings, in their order."""
    return of_record(record, findings, where=Path(where))


__all__ = ["left_out_reasons", "recorded_vocabulary"]
