"""Around every request: who may ask, what a browser may do with the answer, what is counted, and what is logged."""

import hmac
import logging
import time
import traceback
from pathlib import PurePath
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cxrbench.serve.metrics import Metrics
from cxrbench.serve.refusals import Refusal
from cxrbench.serve.settings import ServeSettings

log = logging.getLogger("cxrbench.serve")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
OWN_NAMES = {"localhost", "127.0.0.1", "::1"}
GUARDED = ("/v1/", "/metrics")
"""Paths that need the token; page, description and health need none, as they hold nothing."""
NO_ROUTE = "none"


class Guard:
    """Middleware for host, origin, token, headers, metrics and the log.

    The log has route, status and time: no address that was asked for, no name, nothing of a film.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._token = settings.token.get_secret_value().encode() if settings.token else None
        self._hosts = {*OWN_NAMES, settings.host} if settings.is_loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, send_guarded)
        except Refusal as refusal:
            self._metrics.refusals.labels(refusal.reason).inc()
            await refusal.response()(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the last resort; its words could be a patient's
            log.error("failure: %s at %s", type(error).__name__, _places(error))
            self._metrics.refusals.labels("failure").inc()
            if not status:
                await _failure().response()(scope, receive, send_guarded)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _check(self, scope: Scope) -> None:
        """Refuse who may not ask.

        Raises:
            Refusal: Another host's name, another site's page, or no token.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise Refusal(
                421,
                "host",
                what="the request names another host",
                remedy="ask for http://127.0.0.1 or http://localhost",
            )
        if scope["method"] == "POST" and _is_foreign(headers, host):
            raise Refusal(403, "origin", what="the request comes from another site", remedy="use the server's own page")
        if self._token is None or not scope["path"].startswith(GUARDED):
            return
        borne = headers.get("authorization", "").removeprefix("Bearer ").encode("latin-1")
        if not hmac.compare_digest(borne, self._token):
            raise Refusal(
                401, "token", what="the token is missing or wrong", remedy="send the header Authorization: Bearer TOKEN"
            )

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.requests.labels(route, status or "none").inc()
        self._metrics.seconds.labels(route).observe(seconds)
        method = scope["method"] if scope["method"] in {"GET", "POST"} else "OTHER"
        log.info("%s %s %s %.3f s", method, route, status or "left", seconds)


def _is_foreign(headers: Headers, host: str) -> bool:
    """Return whether another site's page asks; a browser says so itself, or names the page's origin."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in {"cross-site", "same-site"}
    origin = headers.get("origin")
    return origin is not None and _netloc(origin) != host


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _places(error: Exception) -> str:
    """Where an error came from, innermost last; file, line and function alone."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)


def _failure() -> Refusal:
    return Refusal(500, "failure", what="the server failed", remedy="see its log; if it lasts, report it")


def _name(host: str) -> str:
    """The host of a ``Host`` header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
