"""An archive decoded and shrunk once: one memory-mapped uint8 array per size, with an index."""

from cxrbench.data.store.finished import Failure, Store, open_store
from cxrbench.data.store.preparing import prepare_store

__all__ = ["Failure", "Store", "open_store", "prepare_store"]
