"""A form's film and fields, in memory: nothing of an upload touches the disk, and limits hold while it arrives."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from cxrbench.serve.refusals import Refusal, bad_form, busy
from cxrbench.serve.settings import ServeSettings

FILM = "film"
MAX_FIELD_BYTES = 256
DRAIN_S = 2.0
"""How long the rest of a refused upload is read and dropped, so that its sender gets to read the refusal."""


@dataclass(frozen=True)
class Upload:
    """One request's form.

    Attributes:
        film: Content of the film's file; its name is dropped.
        fields: The other fields that are not empty.
    """

    film: bytes
    fields: Mapping[str, str]


class UploadMemory:
    """What all uploads together hold while they arrive."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    def take(self, count: int) -> None:
        """Hold more bytes.

        Raises:
            Refusal: They do not fit.
        """
        if self.held + count > self.limit:
            raise busy("other uploads hold the server's memory")
        self.held += count

    @contextmanager
    def lent(self) -> Iterator["Loan"]:
        """What one upload takes goes back at the end."""
        loan = Loan(self)
        try:
            yield loan
        finally:
            self.held -= loan.taken


@dataclass
class Loan:
    """One upload's part of the memory."""

    memory: UploadMemory
    taken: int = 0

    def take(self, count: int) -> None:
        """Hold more bytes for this upload."""
        self.memory.take(count)
        self.taken += count


async def read_upload(
    request: Request, settings: ServeSettings, memory: UploadMemory, *, allowed: tuple[str, ...]
) -> Upload:
    """Read a multipart form with one film.

    Args:
        request: Its body was not read yet.
        settings: Limits on bytes and seconds.
        memory: That all uploads share.
        allowed: Fields that may come with the film.

    Raises:
        Refusal: Not a form, too large, stalled, or with fields that are not known.
        ClientDisconnect: The client left.
    """
    form = Form(_boundary(request), allowed)
    chunks = aiter(request.stream())
    try:
        with memory.lent() as loan:
            async with asyncio.timeout(settings.time_limit_s):
                _check_size(int(request.headers.get("content-length") or 0), settings)
                while chunk := await _next(chunks, settings.stall_limit_s):
                    loan.take(len(chunk))
                    _check_size(loan.taken, settings)
                    form.write(chunk)
            return form.upload()
    except TimeoutError:
        raise _timed_out(settings) from None
    except Refusal:
        await _drain(chunks)
        raise


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refusal(
            415,
            "form",
            what=f"content type {kind.decode('latin-1')[:60]!r} is no form with a file",
            remedy=f"send multipart/form-data whose part {FILM!r} is the film's file",
        )
    return options[b"boundary"]


def _check_size(count: int, settings: ServeSettings) -> None:
    if count > settings.max_upload_bytes:
        raise Refusal(
            413,
            "size",
            what=f"the upload is larger than {settings.max_upload_mb} MB",
            remedy="send one film; whoever runs the server can raise --max-upload-mb",
        )


async def _next(chunks: AsyncIterator[bytes], seconds: float) -> bytes:
    """The next part of the body; empty at its end."""
    async with asyncio.timeout(seconds):
        while (chunk := await anext(chunks, None)) is not None:
            if chunk:
                return chunk
        return b""


def _timed_out(settings: ServeSettings) -> Refusal:
    return Refusal(
        408,
        "stalled",
        what=f"the upload was silent for {settings.stall_limit_s:g} s, or took more than {settings.time_limit_s} s",
        remedy="send the film again, over a faster connection",
    )


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Drop the rest of an upload, for a while."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass
    except TimeoutError:
        pass


@dataclass
class Part:
    """One part of a form while it arrives."""

    name: str = ""
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    content: bytearray = field(default_factory=bytearray)


class Form:
    """A multipart form that is taken apart while it arrives."""

    def __init__(self, boundary: bytes, allowed: tuple[str, ...]) -> None:
        self._allowed = (FILM, *allowed)
        self._parts: dict[str, bytearray] = {}
        self._part = Part()
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._part.header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._part.value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._check_name,
                    "on_part_data": self._add,
                    "on_part_end": self._end,
                    "on_end": self._complete,
                },
            )
        except FormParserError as error:
            raise _damaged(error) from None

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            Refusal: Not a form, or a field that cannot be used.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _damaged(error) from None

    def upload(self) -> Upload:
        """The whole form.

        Raises:
            Refusal: It breaks off, or has no film.
        """
        if not self._is_complete:
            raise _damaged(ValueError("it breaks off"))
        film = self._parts.pop(FILM, None)
        if not film:
            raise bad_form("the form has no film", f"put the file into a part named {FILM!r}")
        try:
            fields = {name: value.decode().strip() for name, value in self._parts.items()}
        except UnicodeDecodeError:
            raise bad_form("a field is not UTF-8 text", "encode the form's fields as UTF-8") from None
        return Upload(bytes(film), {name: value for name, value in fields.items() if value})

    def _begin(self) -> None:
        self._part = Part()

    def _end_header(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._part.value))
            self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.header, self._part.value = bytearray(), bytearray()

    def _check_name(self) -> None:
        if self._part.name not in self._allowed:
            raise bad_form(f"unknown field {self._part.name[:40]!r}", f"send only these: {', '.join(self._allowed)}")
        if self._part.name in self._parts:
            raise bad_form(f"field {self._part.name!r} comes twice", "send one film and one value of each field")

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._part.content += data[start:end]
        if self._part.name != FILM and len(self._part.content) > MAX_FIELD_BYTES:
            raise bad_form(f"field {self._part.name!r} has more than {MAX_FIELD_BYTES} bytes", "send its bare value")

    def _end(self) -> None:
        self._parts[self._part.name] = self._part.content

    def _complete(self) -> None:
        self._is_complete = True


def _damaged(error: Exception) -> Refusal:
    return Refusal(
        400, "form", what=f"the form cannot be read: {str(error)[:120]}", remedy="send multipart/form-data, whole"
    )
