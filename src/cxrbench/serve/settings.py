"""How a server listens, and what it refuses."""

import ipaddress

from pydantic import Field, SecretStr

from cxrbench.config import Settings
from cxrbench.data.images.pixels import MAX_PIXELS
from cxrbench.environment import usable_cores

MEGABYTE = 2**20


class ServeSettings(Settings):
    """Address, token and limits; the defaults suit one machine and a few people."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535, description="0: any that is free")
    token: SecretStr | None = Field(None, description="what a request must bear; None: no token is asked for")
    max_upload_mb: int = Field(64, ge=1, le=512, description="of one request, megabytes of 2**20 bytes")
    max_pixels: int = Field(MAX_PIXELS, ge=256, le=MAX_PIXELS, description="of one film")
    time_limit_s: int = Field(60, ge=1, description="for an upload, and for its answer")
    stall_limit_s: float = Field(10, gt=0, description="silence after which an upload is given up")
    batch: int = Field(16, ge=1, description="films that the networks see together")
    batch_wait_ms: float = Field(5, ge=0, le=1000, description="how long the first film waits for others")
    queue: int = Field(64, ge=1, description="films that wait for an answer; more are refused for the moment")
    workers: int = Field(default_factory=usable_cores, ge=1, description="processes that decode")
    backend: str | None = Field(None, description="what computes the answers; None: as predict does")

    @property
    def max_upload_bytes(self) -> int:
        """Of one request."""
        return self.max_upload_mb * MEGABYTE

    @property
    def upload_memory_bytes(self) -> int:
        """Of all requests that are being uploaded at the same time."""
        return 8 * self.max_upload_bytes

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine reaches the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
