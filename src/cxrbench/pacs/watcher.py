"""Asks a DICOMweb server again and again for films that have no answer yet.

Source: DICOM PS3.18 10.6 (QIDO-RS), 10.4 (WADO-RS).
"""

import datetime
import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter

from cxrbench.data.images.dicom import PROBLEMS
from cxrbench.errors import ConfigError
from cxrbench.pacs.intake import MEGABYTE, MOST_MB, Intake, log_name
from cxrbench.pacs.spool import Full

LOG = logging.getLogger(__name__)

SCHEMES = ("http://", "https://")
SECONDS = 60
"""Without a word from the server, after which it counts as away."""
MODALITIES = ("CR", "DX")
STUDY, SERIES, INSTANCE, INSTANCES = "0020000D", "0020000E", "00080018", "00201209"
ANY_SYNTAX = (("application/dicom", "*"),)
Found = dict[str, dict[str, Any]]
"""An object of a QIDO answer: tag -> element."""


class Watcher:
    """Watches from ``start`` to ``stop``."""

    def __init__(self, client: DICOMwebClient, intake: Intake, *, days: int, seconds: float) -> None:
        """Ask nothing yet.

        Args:
            client: Of the server.
            intake: Where films go.
            days: Studies of today and so many days before are looked at; 0: all.
            seconds: Between two looks.
        """
        self._client, self._intake, self._days, self._seconds = client, intake, days, seconds
        self._seen: dict[str, int] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Watch in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self._thread.join(SECONDS)

    def look(self) -> None:
        """Fetch what is new.

        Raises:
            Full: Too many films wait; the rest is fetched next time.
            RequestException: The server is not there, or refuses.
        """
        for series in self._series():
            count = int(_value(series, INSTANCES) or 0)
            uid = str(_value(series, SERIES))
            if count and self._seen.get(uid) == count:
                continue
            if self._is_whole(str(_value(series, STUDY)), uid):
                self._seen[uid] = count

    def _is_whole(self, study: str, series: str) -> bool:
        """Fetch a series; whether nothing in it failed, so that it need not be looked at again."""
        with _one_failure(series) as listed:
            found = self._client.search_for_instances(study, series)
        if not listed:
            return False
        whole = True
        for instance in found:
            uid = str(_value(instance, INSTANCE))
            with _one_failure(uid) as fetched:
                self._fetch(study, series, uid)
            whole = whole and bool(fetched)
        return whole

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Full:
                LOG.info("too many films wait; the rest is fetched later")
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one look meets
                LOG.warning("DICOMweb server: %s", type(error).__name__)
            self._stopped.wait(self._seconds)

    def _series(self) -> Iterator[Found]:
        """Series of films."""
        since = datetime.datetime.now().astimezone().date() - datetime.timedelta(days=self._days)
        for modality in MODALITIES:
            filters = {"Modality": modality} | ({"StudyDate": f"{since:%Y%m%d}-"} if self._days else {})
            yield from self._client.search_for_series(
                search_filters=filters, fields=["NumberOfSeriesRelatedInstances"], get_remaining=True
            )

    def _fetch(self, study: str, series: str, uid: str) -> None:
        """Retrieve one object unless it is known."""
        if self._stopped.is_set() or self._intake.is_known(uid):
            return
        try:
            film = self._client.retrieve_instance(study, series, uid, media_types=ANY_SYNTAX)
        except TooLarge as reason:
            LOG.warning("%s left out: %s", log_name(uid), reason)
            return
        if str(film.get("SOPInstanceUID")) != uid:
            LOG.warning("%s left out: the server sent another object", log_name(uid))
            return
        self._intake.take(film, _content(film))


@contextmanager
def _one_failure(uid: str) -> Iterator[list[bool]]:
    """Keep what fails for one object's sake from the others; the list is empty then.

    Raises:
        RequestException: The server is not there.
        OSError: What was fetched cannot be written.
    """
    done: list[bool] = [True]
    try:
        yield done
    except OSError as error:
        # A RequestException is one, too; with an answer, the server is there.
        if getattr(error, "response", None) is None:
            raise
        done.clear()
        LOG.warning("%s left for the next look: %s", log_name(uid), type(error).__name__)
    except PROBLEMS as error:
        done.clear()
        LOG.warning("%s left for the next look: %s", log_name(uid), type(error).__name__)


class TooLarge(RequestException):
    """An answer beyond the limit, given up while it came."""


class _Bounded(HTTPAdapter):
    """HTTP that waits for an answer, but not forever, and takes one, but not of any size."""

    def __init__(self, *, most_mb: int) -> None:
        """Take answers of so many megabytes at most."""
        super().__init__()
        self._most_mb = most_mb

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Send with a time limit where none is given; whoever reads the answer is told where it is too large."""
        response = super().send(request, *arguments, **{**options, "timeout": options.get("timeout") or SECONDS})
        chunks = response.iter_content
        response.iter_content = lambda *how, **named: self._counted(response, chunks(*how, **named))  # type: ignore[method-assign]
        return response

    def _counted(self, response: Response, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Chunks of an answer up to the limit; its announced length counts before the first.

        Raises:
            TooLarge: The limit.
        """
        left = self._most_mb * MEGABYTE
        if (response.raw.length_remaining or 0) > left:
            raise self._too_large(response)
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise self._too_large(response)
            yield chunk

    def _too_large(self, response: Response) -> TooLarge:
        """The reason, after the rest was given up."""
        response.close()
        return TooLarge(f"more than {self._most_mb} MB", response=response)


def web_client(url: str, *, login: Path | None = None, most_mb: int = MOST_MB) -> DICOMwebClient:
    """A client of a DICOMweb server.

    Args:
        url: Root of its services.
        login: File that holds ``user:password``.
        most_mb: Largest answer that is taken, megabytes.

    Raises:
        ConfigError: Not a URL, or not such a file.
    """
    if not url.startswith(SCHEMES):
        raise ConfigError(f"--dicomweb {url}: expected a URL as http://127.0.0.1:8042/dicom-web")
    session = create_session()
    for scheme in SCHEMES:
        session.mount(scheme, _Bounded(most_mb=most_mb))
    if login is not None:
        user, colon, password = login.read_text(encoding="utf-8").strip().partition(":")
        if not colon:
            raise ConfigError(f"--login {login}: expected one line user:password")
        session.auth = (user, password)
    client = DICOMwebClient(url=url, session=session)
    client.set_http_retry_params(
        retry=False
    )  # whoever asks tries again; an answer that is too large is not wanted twice
    return client


def _value(found: Found, tag: str) -> Any:
    """First value of an element; None where there is none."""
    return next(iter(found.get(tag, {}).get("Value", [])), None)


def _content(film: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    film.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
