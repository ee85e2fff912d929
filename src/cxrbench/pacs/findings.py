"""One film's answer, finding by finding, as its results tell it."""

from collections.abc import Iterator
from dataclasses import dataclass

from cxrbench.bundle import Bundle
from cxrbench.config import Finding
from cxrbench.explain.overlay import said
from cxrbench.predict import Answer


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told of one finding.

    Attributes:
        of: The finding, as the vocabulary has it.
        probability: 0..1, calibrated if ``is_calibrated``.
        threshold: From which on it counts as present; None where there is none.
        is_present: Whether the probability reaches the threshold; None where there is none.
        percentile: Among the validation part's, 0..100.
        is_calibrated: Whether the probability is more than the network's own output.
    """

    of: Finding
    probability: float
    threshold: float | None
    is_present: bool | None
    percentile: float
    is_calibrated: bool

    @property
    def finding(self) -> str:
        """Name of the finding."""
        return self.of.name

    @property
    def words(self) -> str:
        """The finding as a reader is told it."""
        return self.finding.replace("_", " ")

    @property
    def line(self) -> str:
        """The finding with its number as a reader is told it; one that is no probability says so."""
        return said(self.words, self.probability, is_calibrated=self.is_calibrated)


def told(bundle: Bundle, answer: Answer) -> tuple[Told, ...]:
    """All findings that the bundle answers, in its order."""
    return tuple(_told(bundle, answer))


def _told(bundle: Bundle, answer: Answer) -> Iterator[Told]:
    for i, finding in enumerate(bundle.answered):
        yield Told(
            of=bundle.record.vocabulary[finding],
            probability=float(answer.probabilities[i]),
            threshold=bundle.record.decisions[finding].threshold,
            is_present=answer.is_present[i],
            percentile=float(answer.percentiles[i]),
            is_calibrated=bundle.is_calibrated(finding),
        )


def to_show(findings: tuple[Told, ...]) -> tuple[Told, ...]:
    """Findings that a heat map and a box are for: those over their threshold, unusual ones first.

    What says that nothing was found has no place on the film.
    """
    present = [one for one in findings if one.is_present and not one.of.means_none]
    return tuple(sorted(present, key=lambda one: -one.percentile))
