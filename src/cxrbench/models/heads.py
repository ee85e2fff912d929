"""Heads: image features and non-image features to one logit per finding.

In every head the non-image features add W x (age, sex, view) to the logits; in ``Linear`` that is the paper's
concatenation.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrbench.config import HEADS, Part
from cxrbench.config.network import AttentionHead, CsraHead, LinearHead, MlpHead
from cxrbench.errors import ConfigError

LARGEST = 99.0
"""A softmax of this temperature and above is taken as the maximum, as in the source of CSRA."""


class Head(nn.Module):
    """Base of all heads.

    Attributes:
        takes: Pooled features (B, pooled) or maps (B, C, h, w).
    """

    takes: ClassVar[Literal["pooled", "maps"]]

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of image features and non-image features (B, F)."""
        raise NotImplementedError

    @property
    def feature_weights(self) -> Tensor:
        """(L, F): what the non-image features add to the logits."""
        raise NotImplementedError

    @staticmethod
    def stored_feature_weights(state: Mapping[str, Tensor], features: int) -> Tensor:
        """Return ``feature_weights`` from a classifier's stored tensors, without building it."""
        raise NotImplementedError

    def score_map(self, maps: Tensor, finding: int) -> Tensor | None:
        """Return (B, h, w): what each place of the maps adds to a finding's logit; None where that is not defined."""
        del maps, finding
        return None


class Linear(Head):
    """One linear layer over pooled image features and non-image features."""

    takes = "pooled"

    def __init__(self, settings: LinearHead, *, channels: int, pooled: int, features: int, findings: int) -> None:
        super().__init__()
        del settings, channels
        self.pooled = pooled
        # As nn.Linear has them: under these names, and drawn in this order.
        layer = nn.Linear(pooled + features, findings)
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of pooled features (B, pooled) and non-image features (B, F)."""
        return functional.linear(torch.cat([image, features], dim=1), self.weight, self.bias)

    @property
    def feature_weights(self) -> Tensor:
        """(L, F)."""
        return self.weight[:, self.pooled :]

    @staticmethod
    def stored_feature_weights(state: Mapping[str, Tensor], features: int) -> Tensor:
        """(L, F)."""
        weight = state["head.weight"]
        return weight[:, weight.shape[1] - features :]

    def score_map(self, maps: Tensor, finding: int) -> Tensor | None:
        """Return the class activation map; its mean is the image's part of the logit where pooling is the mean."""
        if maps.shape[1] != self.pooled:
            return None
        return torch.einsum("bchw,c->bhw", maps, self.weight[finding, : self.pooled])


class _WithFeatures(Head):
    """A head whose non-image features have a layer of their own."""

    def __init__(self, *, features: int, findings: int) -> None:
        super().__init__()
        self.from_features = nn.Linear(features, findings, bias=False) if features else None
        self.findings = findings

    @property
    def feature_weights(self) -> Tensor:
        """(L, F)."""
        return torch.zeros(self.findings, 0) if self.from_features is None else self.from_features.weight

    @staticmethod
    def stored_feature_weights(state: Mapping[str, Tensor], features: int) -> Tensor:
        """(L, F)."""
        return state["head.from_features.weight"] if features else torch.zeros(0)

    def joined(self, logits: Tensor, features: Tensor) -> Tensor:
        """Add what the non-image features say."""
        return logits if self.from_features is None else logits + self.from_features(features)


class Mlp(_WithFeatures):
    """Hidden layers with ReLU over the pooled image features."""

    takes = "pooled"

    def __init__(self, settings: MlpHead, *, channels: int, pooled: int, features: int, findings: int) -> None:
        super().__init__(features=features, findings=findings)
        del channels
        widths = (pooled, *settings.hidden)
        hidden = [
            layer
            for width, following in pairwise(widths)
            for layer in (nn.Linear(width, following), nn.ReLU(), nn.Dropout(settings.dropout))
        ]
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], findings))

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of pooled features (B, pooled) and non-image features (B, F)."""
        return self.joined(self.layers(image), features)


class Attention(_WithFeatures):
    """One learnt query per finding attends over the places of the maps."""

    takes = "maps"

    def __init__(self, settings: AttentionHead, *, channels: int, pooled: int, features: int, findings: int) -> None:
        super().__init__(features=features, findings=findings)
        del pooled
        if channels % settings.heads:
            raise ConfigError(
                f"head attention: {settings.heads} heads do not divide the backbone's {channels} channels"
            )
        self.heads = settings.heads
        self.norm = nn.LayerNorm(channels)
        self.queries = nn.Parameter(torch.randn(findings, channels) * channels**-0.5)
        self.keys, self.values = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.weight = nn.Parameter(torch.randn(findings, channels) * channels**-0.5)
        self.bias = nn.Parameter(torch.zeros(findings))

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of maps (B, C, h, w) and non-image features (B, F)."""
        places = self.norm(image.flatten(2).transpose(1, 2))  # (B, h*w, C)
        queries = self._by_head(self.queries[None])  # (1, heads, L, C / heads)
        keys, values = self._by_head(self.keys(places)), self._by_head(self.values(places))
        scores = queries @ keys.transpose(2, 3) * (queries.shape[3] ** -0.5)  # (B, heads, L, h*w)
        attended = (scores.softmax(dim=3) @ values).transpose(1, 2).flatten(2)  # (B, L, C)
        return self.joined(_inner(attended, self.weight) + self.bias, features)

    def _by_head(self, values: Tensor) -> Tensor:
        """Vectors (B, N, C) as (B, heads, N, C / heads)."""
        return values.reshape(values.shape[0], values.shape[1], self.heads, -1).transpose(1, 2)


class Csra(_WithFeatures):
    """Class-specific residual attention: the mean score over places, and an attended one.

    The logits of several heads are added; each has a temperature of its own.

    Source: Zhu and Wu 2021, doi:10.48550/arXiv.2108.02456.
    """

    takes = "maps"

    def __init__(self, settings: CsraHead, *, channels: int, pooled: int, features: int, findings: int) -> None:
        super().__init__(features=features, findings=findings)
        del pooled
        self.attention_weight, self.is_normalised = settings.attention_weight, settings.normalise
        self.temperatures = _temperatures(settings)
        layers = [nn.Linear(channels, findings, bias=False) for _ in self.temperatures]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))  # (heads, L, C)

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return logits (B, L) of maps (B, C, h, w) and non-image features (B, F)."""
        logits = [
            self._logits(scores.flatten(2), t) for scores, t in zip(self._scores(image), self.temperatures, strict=True)
        ]
        return self.joined(torch.stack(logits).sum(dim=0), features)

    def _scores(self, maps: Tensor) -> list[Tensor]:
        """(B, L, h, w) of each head."""
        weight = self.weight
        if self.is_normalised:
            weight = weight / weight.norm(dim=2, keepdim=True).clamp(min=1e-12)
        return [torch.einsum("lc,bchw->blhw", each, maps) for each in weight]

    def _logits(self, scores: Tensor, temperature: float) -> Tensor:
        """(B, L) of scores (B, L, h*w)."""
        if temperature >= LARGEST:
            attended = scores.amax(dim=2)
        else:
            attended = _inner(scores, (scores * temperature).softmax(dim=2))
        return scores.mean(dim=2) + self.attention_weight * attended

    def score_map(self, maps: Tensor, finding: int) -> Tensor | None:
        """Return the score of each place, added over the heads."""
        return torch.stack(self._scores(maps)).sum(dim=0)[:, finding]


def _inner(one: Tensor, other: Tensor) -> Tensor:
    """Inner products of vectors along the last axis; as matrices, since OpenVINO 2026.4 adds up products wrongly."""
    return (one.unsqueeze(-2) @ other.unsqueeze(-1)).flatten(-3)


def _temperatures(settings: CsraHead) -> tuple[float, ...]:
    """Return 1, 2 ... times ``temperature``, then the maximum; as in the source, four heads have 1, 2, 4 and it."""
    if settings.heads == 1:
        return (settings.temperature,)
    several = (1, 2, 4) if settings.heads == 4 else range(1, settings.heads)
    return (*(settings.temperature * number for number in several), LARGEST)


def build_head(part: Part, *, channels: int, pooled: int, features: int, findings: int) -> Head:
    """Return the head that the settings describe, with random weights from torch's current seed.

    Args:
        part: Which head.
        channels: Channels C of the backbone's maps.
        pooled: Length of its pooled features.
        features: Number of non-image features F.
        findings: Number of logits L.

    Raises:
        ConfigError: The builder returns something else than a whole ``Head``.
    """
    head = HEADS.build(part, channels=channels, pooled=pooled, features=features, findings=findings)
    what = HEADS.title(part)
    if not isinstance(head, Head):
        raise ConfigError(
            f"{what}: its builder returned an object of type {type(head).__name__}, expected a "
            "cxrbench.models.heads.Head"
        )
    if getattr(head, "takes", None) not in {"pooled", "maps"}:
        raise ConfigError(f"{what}: {type(head).__name__} does not say what it takes; set takes to pooled or maps")
    _check_feature_weights(head, what, shape=(findings, features))
    return head


def _check_feature_weights(head: Head, what: str, *, shape: tuple[int, int]) -> None:
    """Refuse a head that does not say how it weighs the non-image features."""
    try:
        got = f"of shape {tuple(head.feature_weights.shape)}"
    except Exception as error:  # noqa: BLE001 - code of other packages
        got = f"not there ({type(error).__name__})"
    if got != f"of shape {shape}":
        raise ConfigError(
            f"{what}: feature_weights of {type(head).__name__} are {got}; return (findings, features), here {shape}"
        )
