"""Contact sheets: one row per finding, films from the least to the most suspected."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from cxrbench.explain.localising import Mapped
from cxrbench.explain.maps import Method
from cxrbench.explain.overlay import Captioned, Picture, contact_sheet, overlay, said
from cxrbench.explain.trained import OpenStudy, Trained

COLUMNS = 5
"""Films per finding. They are spread evenly over the order of the finding's logit, so that failures show too."""
WIDTH = 300
"""Of one film, pixels."""


def localisation_sheet(study: OpenStudy, run: Trained, answers: Sequence[Mapped], method: Method) -> Picture:
    """Overlays of boxed findings with their boxes and probabilities."""
    pixels = study.store.pixels(run.config.approach.input.store_size)
    pictures: list[Picture] = []
    for finding in dict.fromkeys(answer.boxed.finding for answer in answers):
        shown = _spread([answer for answer in answers if answer.boxed.finding == finding])
        films = pixels[study.store.rows([answer.boxed.image_id for answer in shown])]
        row = [_picture(answer, film, method) for answer, film in zip(shown, films, strict=True)]
        blank = np.full_like(row[0], 255)
        pictures += row + [blank] * (COLUMNS - len(row))
    return contact_sheet(pictures, columns=COLUMNS)


def _spread(answers: Sequence[Mapped]) -> list[Mapped]:
    """At most ``COLUMNS``, evenly over the order of their logits."""
    ranked = sorted(answers, key=lambda answer: answer.logit)
    places = np.unique(np.linspace(0, len(ranked) - 1, COLUMNS).round().astype(int))
    return [ranked[place] for place in places]


def _picture(answer: Mapped, square: Picture, method: Method) -> Picture:
    """One film from the store under its map."""
    boxed = answer.boxed
    text = said(boxed.finding, float(expit(answer.logit)), is_calibrated=False)
    film = boxed.frame.restore(square)
    return overlay(film, boxed.frame.to_film(answer.cells[method]), Captioned(text, boxed.boxes), width=WIDTH)
