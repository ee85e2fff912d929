"""The model card."""

from pathlib import Path

from cxrbench.bundle.record import CARD_FILE, BundleRecord
from cxrbench.files import write_text


def write_card(record: BundleRecord, folder: Path) -> None:
    """Write the card as Markdown."""
    write_text(folder / CARD_FILE, "\n".join(record.banners) + "\n")
