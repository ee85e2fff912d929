"""All that a process needs to fit a run, alone or together with others."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from cxrbench.config import RunConfig
from cxrbench.data.features import FeatureScaling
from cxrbench.data.store import Store
from cxrbench.models.classifier import build_classifier
from cxrbench.splits import Split
from cxrbench.training.compute import Compute
from cxrbench.training.fit import Fit
from cxrbench.training.parts import deliver_to, make_parts


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run; can be sent to another process of this machine."""

    config: RunConfig
    folder: Path
    table: pl.DataFrame
    store: Store
    split: Split
    weights: dict[str, Tensor] | None
    compute: Compute

    def begin(self, rank: int = 0) -> tuple[Fit, FeatureScaling]:
        """The fit as process ``rank`` of those that share it sees it, where an earlier, stopped one left off."""
        config, device = self.config, self.compute.device_of(rank)
        if device.type == "cuda" and self.compute.gpu_share < 1:
            torch.cuda.set_per_process_memory_fraction(self.compute.gpu_share, device)
        parts, scaling = make_parts(config, table=self.table, store=self.store, split=self.split, compute=self.compute)
        classifier = build_classifier(
            config.approach, findings=len(config.findings), seed=config.seed, weights=self.weights
        )
        parts = deliver_to(
            parts,
            device,
            config=config,
            store=self.store,
            classifier=classifier,
            gpu_share=self.compute.gpu_share,
        )
        fit = Fit(classifier, config, parts=parts, folder=self.folder, compute=self.compute, rank=rank)
        fit.resume()
        return fit, scaling
