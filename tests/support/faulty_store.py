"""boto3 with a fault line under it."""

from __future__ import annotations

from typing import Any

from support.faultline import Line

_READING = ("Get", "Head", "List")


def install(line: Line) -> None:
    """Patch the one method through which every call of every boto3 client goes, retries included."""
    from botocore.client import BaseClient

    original = BaseClient._make_api_call

    def call(self: Any, operation: str, parameters: Any) -> Any:
        writes = not operation.startswith(_READING)
        return line.through(
            "store", operation, writes, lambda: original(self, operation, parameters), _errors(operation)
        )

    BaseClient._make_api_call = call


def _errors(operation: str) -> Any:
    from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

    def busy() -> Exception:
        answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        return ClientError(answer, operation)

    kinds = (
        lambda: EndpointConnectionError(endpoint_url="http://store.invalid"),
        lambda: ConnectionClosedError(endpoint_url="http://store.invalid"),
        busy,
    )
    return lambda number: kinds[number % 3]()
