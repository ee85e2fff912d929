"""Why a request is refused: one error for all reasons, one JSON shape for all errors."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

Reason = Literal[
    "form", "size", "film", "stalled", "slow", "busy", "token", "host", "origin", "left", "path", "failure"
]
"""What a refusal is counted under."""
SOON_S = 2
"""Seconds after which a client may try again."""


class Refusal(Exception):  # noqa: N818 - a reason, which becomes the answer
    """A request that is not answered."""

    def __init__(self, status: int, reason: Reason, *, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.status, self.reason, self.what, self.remedy = status, reason, what, remedy

    def response(self) -> Response:
        """The refusal as the client gets it."""
        body = ErrorDocument(error=ErrorText(what=self.what, remedy=self.remedy)).model_dump()
        headers = {"Retry-After": str(SOON_S)} if self.status == 503 else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status in {408, 413}:  # what is left of the upload is not read
            headers["Connection"] = "close"
        return JSONResponse(body, self.status, headers)


class ErrorText(BaseModel):
    """An error a client can act on."""

    what: str = Field(description="what is wrong, and with which value")
    remedy: str = Field(description="what to do about it")


class ErrorDocument(BaseModel):
    """The answer to every request that is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "what": "truncated PNG: it breaks off after 5,120 bytes",
                    "remedy": "send a whole PNG, JPEG, TIFF or DICOM file of one chest film",
                }
            }
        }
    )
    error: ErrorText


def bad_form(what: str, remedy: str) -> Refusal:
    """A field of the form that cannot be used."""
    return Refusal(422, "form", what=what, remedy=remedy)


def busy(what: str) -> Refusal:
    """More than fits at the moment."""
    return Refusal(503, "busy", what=what, remedy=f"try again in {SOON_S} seconds")
