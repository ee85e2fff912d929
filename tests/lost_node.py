"""A node of a Ray cluster that is lost in the middle of the work."""

import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 600


class LostNode:
    """Kills a node, processes and all, as soon as it is time."""

    def __init__(self, cluster: Any, node: Any, *, when: Callable[[], bool]) -> None:
        self._cluster, self._node, self._when = cluster, node, when
        self._thread = threading.Thread(target=self._wait_and_kill, daemon=True)
        self._thread.start()

    def _wait_and_kill(self) -> None:
        while not self._when():
            time.sleep(0.02)
        self._cluster.remove_node(self._node, allow_graceful=False)

    @property
    def is_lost(self) -> bool:
        """Whether it was killed; waits for a killing that has begun."""
        self._thread.join(PATIENCE_S)
        return not self._thread.is_alive()
