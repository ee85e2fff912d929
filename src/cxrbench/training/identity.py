"""What makes a run the run it is: equal hashes, equal runs."""

from cxrbench.config import Approach, Settings, settings_hash


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

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over all fields."""
        return settings_hash(self)
