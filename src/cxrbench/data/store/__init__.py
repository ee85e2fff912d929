"""An archive decoded and shrunk once: one memory-mapped uint8 array per size, with an index."""

from cxrbench.data.store.assembly import prepare_store
from cxrbench.data.store.contents import Failure, Store, open_store

__all__ = ["Failure", "Store", "open_store", "prepare_store"]
