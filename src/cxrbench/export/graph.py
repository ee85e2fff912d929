"""What is exported of a member: its network, and before it, where asked for, everything from a film's square on."""

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxrbench.bundle import Bundle, Member
from cxrbench.config import Input
from cxrbench.data.features import CODES, FeatureScaling
from cxrbench.data.geometry import centre_affine
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
    """Squares (B, S, S) uint8 -> their centres (B, 1, H, W), grey values in 0..1, as ``network_input`` makes them."""

    below: Tensor
    above: Tensor
    share: Tensor

    def __init__(self, seen: Input) -> None:
        super().__init__()
        affine = centre_affine(source=seen.store_size, size=seen.image_size, crop=seen.evaluation_crop)
        scale, offset = affine[0, 0, [0, 2]].astype(np.float32)  # the same across and down
        places = scale * np.arange(seen.image_size, dtype=np.float32) + offset
        whole = np.floor(places)
        self.register_buffer("below", torch.from_numpy(whole.astype(np.int64)))
        self.register_buffer("above", (self.below + 1).clamp(max=seen.store_size - 1))
        self.register_buffer("share", torch.from_numpy(places - whole))
        self.is_between_pixels = bool((places != whole).any())

    def forward(self, squares: Tensor) -> Tensor:
        """Sample bilinearly, round to whole grey values and scale."""
        grey = squares.to(torch.float32)
        if self.is_between_pixels:
            across = self._between(grey, 2, self.share)  # (B, S, W)
            centre = self._between(across, 1, self.share[:, None]).round()
        else:
            centre = grey.index_select(1, self.below).index_select(2, self.below)
        return centre.unsqueeze(1) * (1 / 255)

    def _between(self, grey: Tensor, axis: int, share: Tensor) -> Tensor:
        """Values between neighbouring pixels along an axis."""
        below, above = grey.index_select(axis, self.below), grey.index_select(axis, self.above)
        return below + share * (above - below)


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
    """Return what is exported of a member, on the CPU, in evaluation mode."""
    classifier = bundle.classifier(member)
    module: Any
    for module in classifier.modules():
        if hasattr(module, "fused_attn"):
            # timm's switch: spelt out, the layout of what attention gives is what the exporter takes it to be.
            module.fused_attn = False
    film = CentreCrop(member.approach.input) if has_preprocessing else nn.Identity()
    features = FeatureCoding(member.feature_scaling) if has_preprocessing else nn.Identity()
    return Exported(classifier, film=film, features=features).eval()


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
    film = _square(member.approach.input.store_size) if has_preprocessing else _crop(member.approach.input)
    names = member.feature_scaling.features
    if not names:
        return (film,)
    said = "; ".join(MEANINGS[name] for name in names)
    meaning = f"{said}; NaN where unknown" if has_preprocessing else f"{', '.join(names)}, scaled as in bundle.json"
    return film, TensorRecord(name=FEATURES, type="float32", shape=(BATCH, len(names)), meaning=meaning)


def output_records(bundle: Bundle) -> tuple[TensorRecord, ...]:
    """What an exported network gives."""
    meaning = "one logit per finding, not calibrated; bundle.json has each member's calibration"
    if withheld := ", ".join(bundle.record.withheld):
        meaning += f"; never to be shown, as the networks could not learn them: {withheld}"
    return (TensorRecord(name=LOGITS, type="float32", shape=(BATCH, len(bundle.findings)), meaning=meaning),)


def _square(size: int) -> TensorRecord:
    meaning = (
        "grey film, bones bright, 0 black and 255 white; zero-padded to a centred square, then shrunk by area "
        f"averaging (cv2.INTER_AREA) or enlarged bilinearly (cv2.INTER_LINEAR) to {size} x {size}"
    )
    return TensorRecord(name=FILM, type="uint8", shape=(BATCH, size, size), meaning=meaning)


def _crop(seen: Input) -> TensorRecord:
    size = seen.image_size
    meaning = f"centre {size} x {size} of the film's square as the store keeps it, grey values / 255"
    if seen.evaluation_crop is not None:
        meaning = (
            f"centre {seen.evaluation_crop:.4g} of each side of the film's square as the store keeps it, sampled "
            f"bilinearly to {size} x {size}, whole grey values / 255"
        )
    return TensorRecord(name=FILM, type="float32", shape=(BATCH, 1, size, size), meaning=meaning)
