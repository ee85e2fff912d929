"""What makes a run the run it is: equal hashes, equal runs."""

from math import ceil

from pydantic import Field

from cxrbench.config import Approach, ComputeSettings, Settings
from cxrbench.files import digest_json


class WeightsRecord(Settings):
    """Where a run's pre-trained weights came from."""

    source: str
    digest: str
    is_stand_in: bool


class RunConfig(Settings):
    """Everything that decides what a run learns; equal hashes, equal runs."""

    approach: Approach
    profile: str
    weights: WeightsRecord | None
    split: str
    split_digest: str
    store_digest: str
    table_digest: str
    seed: int
    findings: tuple[str, ...]
    norm_batch: int | None = Field(None, description="images that batch norm is taken over; null: the batch")

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over all fields, defaults too: a run is not reused after a default changes."""
        fields = self.model_dump(mode="json")
        # These came later. Null is what runs did before, and an unfinished study goes on with a newer version.
        for settings, name in ((fields, "norm_batch"), (fields["approach"], "cached_views")):
            if settings[name] is None:
                del settings[name]
        return digest_json(fields)


def norm_batch(compute: ComputeSettings, approach: Approach) -> int | None:
    """Images that batch norm is taken over where it is not the batch.

    The one thing of ``compute`` that changes a run. Devices do not count: batch norm is taken over all of them.
    """
    batch = approach.recipe.batch_size
    has_own_statistics = approach.backbone.trained == "all" and compute.accumulate(batch) > 1
    return ceil(batch / compute.accumulate(batch)) if has_own_statistics else None
