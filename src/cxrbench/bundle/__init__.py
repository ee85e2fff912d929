"""A trained model with all that is needed to use it, in a folder: a run -> a bundle, and back."""

from cxrbench.bundle.choosing import choose_runs
from cxrbench.bundle.loading import Bundle, load_bundle
from cxrbench.bundle.record import BundleRecord, Member

__all__ = ["Bundle", "BundleRecord", "Member", "choose_runs", "load_bundle"]
