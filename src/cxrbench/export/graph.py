"""What is exported of a member: its network, and before it, where asked for, everything from a film's square on."""

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxrbench.bundle import Bundle, Member
from cxrbench.data.features import CODES, FeatureScaling
from cxrbench.errors import ConfigError
from cxrbench.predict.exported import FEATURES, FILM, LOGITS, TensorRecord

MEANINGS = {"age": "age in years", "sex": "sex, F 0 and M 1", "view": "view position, PA 0 and AP 1"}
BATCH = "batch"


class Exported(nn.Module):
    """Film and features, prepared or to be prepared -> logits; features may be left out where a member has none."""

    def __init__(self, classifier: nn.Module, *, film: nn.Module, features: nn.Module) -> None:
        super().__init__()
        self.classifier, self.prepare_film, self.prepare_features = classifier, film, features

    def forward(self, film: Tensor, features: Tensor | None = None) -> Tensor:
        """Map films (B, ...) and features (B, F) to logits (B, L)."""
        grey = self.prepare_film(film)  # (B, 1, H, W)
        # Not len(grey): the exporter would take it for a constant.
        coded = grey.new_zeros((grey.shape[0], 0)) if features is None else self.prepare_features(features)
        logits: Tensor = self.classifier(grey, coded)
        return logits


class CentreCrop(nn.Module):
    """Squares (B, S, S) uint8 -> their centres (B, 1, H, W), grey values in 0..1."""

    def __init__(self, member: Member) -> None:
        """Measure the margin.

        Raises:
            ConfigError: The centre lies between pixels.
        """
        super().__init__()
        seen = member.approach.input
        self.margin, rest = divmod(seen.store_size - seen.image_size, 2)
        self.end = self.margin + seen.image_size
        if rest:
            raise ConfigError(
                f"the {seen.image_size} pixels in the centre of {seen.store_size} lie between pixels: preprocessing "
                "cannot be exported; export without --with-preprocessing"
            )

    def forward(self, squares: Tensor) -> Tensor:
        """Crop and scale."""
        centre = squares[:, self.margin : self.end, self.margin : self.end]
        return centre.unsqueeze(1).to(torch.float32) * (1 / 255)


class FeatureCoding(nn.Module):
    """Years, sex and view position as numbers (B, F), NaN where unknown -> the features that a network takes."""

    low: Tensor
    span: Tensor
    means: Tensor

    def __init__(self, scaling: FeatureScaling) -> None:
        super().__init__()
        youngest, oldest = scaling.age_range
        ranges = [(youngest, oldest) if feature == "age" else (0.0, 1.0) for feature in scaling.features]
        self.register_buffer("low", torch.tensor([low for low, _ in ranges]))
        self.register_buffer("span", torch.tensor([high - low if high > low else 1.0 for low, high in ranges]))
        self.register_buffer("means", torch.tensor([scaling.means[feature] for feature in scaling.features]))

    def forward(self, facts: Tensor) -> Tensor:
        """Scale what is known; the rest takes the training part's means."""
        return torch.where(torch.isnan(facts), self.means, (facts - self.low) / self.span)


def exported_module(bundle: Bundle, member: Member, *, has_preprocessing: bool) -> Exported:
    """What is exported of a member, on the CPU, in evaluation mode.

    Raises:
        ConfigError: Its preprocessing cannot be exported.
    """
    film = CentreCrop(member) if has_preprocessing else nn.Identity()
    features = FeatureCoding(member.feature_scaling) if has_preprocessing else nn.Identity()
    return Exported(bundle.classifier(member), film=film, features=features).eval()


def facts_as_numbers(scaling: FeatureScaling, table: pl.DataFrame) -> NDArray[np.float32]:
    """What ``FeatureCoding`` takes, (N, F), of the table's ``age_years``, ``sex`` and ``view``."""
    columns = [
        table["age_years"] if feature == "age" else table[feature].replace_strict(CODES[feature], default=None)
        for feature in scaling.features
    ]
    numbers = [column.cast(pl.Float32).fill_null(float("nan")).to_numpy() for column in columns]
    return np.stack(numbers, axis=1) if numbers else np.zeros((table.height, 0), np.float32)


def input_records(member: Member, *, has_preprocessing: bool) -> tuple[TensorRecord, ...]:
    """What an exported network takes, in words that suffice without this package."""
    film = _square(member.approach.input.store_size) if has_preprocessing else _crop(member.approach.input.image_size)
    names = member.feature_scaling.features
    if not names:
        return (film,)
    said = "; ".join(MEANINGS[name] for name in names)
    meaning = f"{said}; NaN where unknown" if has_preprocessing else f"{', '.join(names)}, scaled as in bundle.json"
    return film, TensorRecord(name=FEATURES, type="float32", shape=(BATCH, len(names)), meaning=meaning)


def output_records(findings: tuple[str, ...]) -> tuple[TensorRecord, ...]:
    """What an exported network gives."""
    meaning = "one logit per finding, not calibrated; bundle.json has each member's calibration"
    return (TensorRecord(name=LOGITS, type="float32", shape=(BATCH, len(findings)), meaning=meaning),)


def _square(size: int) -> TensorRecord:
    meaning = (
        "grey film, bones bright, 0 black and 255 white; zero-padded to a centred square, then shrunk by area "
        f"averaging (cv2.INTER_AREA) or enlarged bilinearly (cv2.INTER_LINEAR) to {size} x {size}"
    )
    return TensorRecord(name=FILM, type="uint8", shape=(BATCH, size, size), meaning=meaning)


def _crop(size: int) -> TensorRecord:
    meaning = f"centre {size} x {size} of the film's square as the store keeps it, grey values / 255"
    return TensorRecord(name=FILM, type="float32", shape=(BATCH, 1, size, size), meaning=meaning)
