"""Films in, results out: one thread answers, another delivers, and what waits is on disk."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cxrbench.data.sandbox import KILLED
from cxrbench.errors import CxrbenchError
from cxrbench.pacs.answering import Answerer
from cxrbench.pacs.destinations import Destination, Rejected, Unreachable
from cxrbench.pacs.intake import NAME
from cxrbench.pacs.refusing import Unanswerable
from cxrbench.pacs.spool import Spool

LOG = logging.getLogger(__name__)

TICK = 0.2
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a destination that was not reached is tried again; doubled each time."""
DRAIN_SECONDS = 30.0
"""For what was accepted to be answered and delivered when the listener stops; the rest waits on disk."""


class Origin(Protocol):
    """Where films come from."""

    def start(self) -> None:
        """Bring films from now on."""
        ...

    def stop(self) -> None:
        """Bring no more."""
        ...


@dataclass(frozen=True)
class Listener:
    """A bundle at an archive's side.

    Attributes:
        answerer: The bundle.
        spool: What waits.
        destination: Where results go.
        origin: Where films come from.
    """

    answerer: Answerer
    spool: Spool
    destination: Destination
    origin: Origin

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then take no more, and finish what was accepted."""
        answered = threading.Event()
        workers = [
            threading.Thread(target=self._answer_all, args=(stop, answered), daemon=True),
            threading.Thread(target=self._deliver_all, args=(stop, answered), daemon=True),
        ]
        for worker in workers:
            worker.start()
        self.origin.start()
        LOG.info("ready")
        while not stop.wait(TICK):
            pass
        LOG.info("stopping: no more films are taken")
        self.origin.stop()
        until = time.monotonic() + DRAIN_SECONDS
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
        LOG.info("stopped%s", "" if self.spool.is_empty else "; what waits is taken up at the next start")

    def _answer_all(self, stop: threading.Event, answered: threading.Event) -> None:
        """Answer until stopped and nothing waits."""
        while True:
            # Read first: a film that came before the stop is seen after it.
            is_last = stop.is_set()
            film = self.spool.next_film(TICK)
            if film is not None:
                if not self._answer(film) and stop.wait(FIRST_WAIT):
                    break
            elif is_last:
                break
        answered.set()

    def _answer(self, film: Path) -> bool:
        """Put a film's results, or a reason, in its place; whether that could be done."""
        try:
            self._answer_or_refuse(film)
        except Exception as error:  # noqa: BLE001 - a full disk, say: the thread must outlive it
            LOG.error("%s waits: %s", film.stem[:NAME], type(error).__name__)
            return False
        return True

    def _answer_or_refuse(self, film: Path) -> None:
        """Put a film's results, or a reason, in its place.

        Raises:
            OSError: It cannot be written; the film stays.
        """
        name = film.stem[:NAME]
        try:
            results = self.answerer.answer(film)
            self.spool.answer(film, results.all)
        except Unanswerable as reason:
            LOG.info("%s not answered: %s", name, reason.short)
            (self.spool.fail(film) if str(reason) == KILLED else self.spool.refuse(film, reason.short))
        except CxrbenchError:
            LOG.info("%s not answered: it lacks what results must refer to", name)
            self.spool.refuse(film, "it lacks what results must refer to")
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - one film must not end the listener
            LOG.error("%s put aside: %s", name, type(error).__name__)
            self.spool.fail(film)
        else:
            LOG.info("%s answered: %d objects", name, len(results.all))

    def _deliver_all(self, stop: threading.Event, answered: threading.Event) -> None:
        """Deliver until stopped and nothing waits, or the destination is not there."""
        wait = FIRST_WAIT
        while True:
            is_last = answered.is_set()
            answer = self.spool.next_answer(TICK)
            if answer is None:
                if is_last:
                    return
            elif self._deliver(answer):
                wait = FIRST_WAIT
            elif stop.is_set():
                return
            else:
                stop.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def _deliver(self, answer: Path) -> bool:
        """Hand over one film's results; whether the destination is there, and what was done could be noted."""
        try:
            return self._deliver_or_postpone(answer)
        except Exception as error:  # noqa: BLE001 - a full disk, say: the thread must outlive it
            LOG.error("%s not delivered yet: %s", answer.name[:NAME], type(error).__name__)
            self.spool.postpone(answer)
            return False

    def _deliver_or_postpone(self, answer: Path) -> bool:
        """Hand over one film's results; whether the destination is there."""
        name = answer.name[:NAME]
        try:
            self.destination.deliver(sorted(answer.glob("*.dcm")))
        except Unreachable as reason:
            LOG.warning("%s not delivered yet: %s", name, reason)
            self.spool.postpone(answer)
            return False
        except Rejected as reason:
            LOG.error("%s put aside, the destination refuses it: %s", name, reason)
            self.spool.undeliverable(answer)
            return True
        self.spool.delivered(answer)
        LOG.info("%s delivered", name)
        return True
