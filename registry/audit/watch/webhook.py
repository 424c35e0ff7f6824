"""Reports by webhook, after the Standard Webhooks specification 1.0.0.

::

    webhook-id: msg_...             the same whenever the same report is sent again
    webhook-timestamp: 1790000000   of the attempt, seconds since 1970
    webhook-signature: v1,...       HMAC-SHA256 of id.timestamp.body, base64

At least once: a report is taken when the receiver has answered with a 2xx. Redirects are not followed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from registry import disk
from registry.audit.watch.reports import TYPE, Report
from registry.errors import InvalidInput, Unavailable
from registry.home import version

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager, Retry
    from urllib3.util import Url

PREFIX: Final = "whsec_"
_SECRET_LIMIT: Final = 4096  # bytes of the file
_BYTES: Final = range(24, 65)  # of a secret: 192 to 512 bits
_GONE: Final = 410
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES: Final = 5
_LONGEST: Final = 60  # seconds between two attempts, whatever the receiver asks for
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
_HOW: Final = "make one with: echo whsec_$(openssl rand -base64 32)"


def read_secret(text: str) -> bytes:
    """The key in ``whsec_`` and base64, 24 to 64 bytes. Raises InvalidInput; the secret is in no message."""
    encoded = text.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("the webhook's secret is not base64", hint=_HOW) from error
    if len(key) not in _BYTES:
        raise InvalidInput("the webhook's secret has 24 to 64 bytes", on=f"{len(key)} bytes", hint=_HOW)
    return key


def secret_file(path: Path) -> bytes:
    """The key in a file. Raises NotFound or InvalidInput."""
    return read_secret(disk.read(path, _SECRET_LIMIT).decode("ascii", "replace"))


def sign(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def message(report: Report) -> bytes:
    """The body: JSON, ASCII."""
    said = {"type": TYPE, "timestamp": report.time, "data": report.to_dict()}
    return json.dumps(said, separators=(",", ":")).encode()


class Webhook:
    """Where reports are posted, and the secret that its receiver shares.

    ``wait`` sleeps so many seconds between two attempts. Raises InvalidInput for a URL that is neither https
    nor of this machine.
    """

    def __init__(
        self, url: str, key: bytes, now: Callable[[], datetime], wait: Callable[[float], object]
    ) -> None:
        self._url, self._key, self._now, self._wait = _checked(url), key, now, wait
        self._pool: PoolManager | None = None

    def __call__(self, report: Report) -> None:
        """Post a report. Raises Unavailable where the receiver has not taken it after five attempts."""
        from urllib3.exceptions import HTTPError

        body, retries = message(report), _retries()
        while True:
            trouble: HTTPError | None = None
            response: BaseHTTPResponse | None = None
            try:
                response = self._post(report.id, body)
            except HTTPError as error:
                trouble = error
            if response is not None and 200 <= response.status < 300:
                return
            retries = self._again(retries, response, trouble)

    def _post(self, id: str, body: bytes) -> BaseHTTPResponse:
        """One attempt, signed anew: its time is part of what is signed."""
        timestamp = int(self._now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": f"hallmark/{version()}",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, id, timestamp, body),
        }
        response = self._manager().request(
            "POST",
            self._url.url,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        response.close()  # what the receiver says beyond its status is of no use, and of any length
        return response

    def _again(self, retries: Retry, response: BaseHTTPResponse | None, trouble: Exception | None) -> Retry:
        """Wait for the next attempt. Raises Unavailable where there is none."""
        from urllib3.exceptions import MaxRetryError, SSLError

        status = response.status if response is not None else None
        said = f"it answered {status}" if status else str(type(trouble).__name__)
        if isinstance(trouble, SSLError):
            raise self._refused("its certificate does not verify", "check the URL, or set SSL_CERT_FILE")
        if status is not None and status not in _AGAIN:
            raise self._refused(said, "nobody listens there any more" if status == _GONE else None)
        try:
            left = retries.increment("POST", self._url.url, response=response, error=trouble)
        except MaxRetryError as error:
            raise self._refused(said) from error
        asked = retries.get_retry_after(response) if response is not None else None
        self._wait(min(asked if asked is not None else left.get_backoff_time(), _LONGEST))
        return left

    def _refused(self, said: str, hint: str | None = None) -> Unavailable:
        hint = hint or "look at the receiver's log; the report is sent again when the watch runs again"
        # The path of a webhook's URL is often a secret of its own.
        return Unavailable(f"the webhook did not take a report: {said}", on=self._where, hint=hint)

    @property
    def _where(self) -> str:
        return f"{self._url.scheme}://{self._url.netloc}"

    def _manager(self) -> PoolManager:
        if self._pool is None:
            from urllib3 import PoolManager, Timeout

            self._pool = PoolManager(cert_reqs="CERT_REQUIRED", timeout=Timeout(connect=5, read=15))
        return self._pool


def _retries() -> Retry:
    from urllib3 import Retry

    return Retry(
        total=_TRIES - 1,
        allowed_methods={"POST"},
        status_forcelist=_AGAIN,
        backoff_factor=0.5,
        backoff_max=_LONGEST,
    )


def _checked(url: str) -> Url:
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parsed = parse_url(url)
    except LocationParseError as error:
        raise InvalidInput("the webhook's URL does not parse", hint="https://HOST/PATH") from error
    local = parsed.scheme == "http" and _LOOPBACK.fullmatch(parsed.host or "")
    if not parsed.host or not (parsed.scheme == "https" or local):
        raise InvalidInput("a webhook is an https URL, or one of this very machine", hint="https://HOST/PATH")
    if parsed.auth:
        raise InvalidInput("a webhook's URL holds no user or password", hint="reports are signed instead")
    return parsed
