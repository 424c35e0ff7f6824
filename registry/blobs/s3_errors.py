"""What an S3 server or botocore says, in the registry's words. Never repeats their messages: those may
hold an access key id or a signed URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSLError,
    TokenRetrievalError,
)

from registry.errors import BadEncryption, BlobMissing, RegistryError, StoreUnavailable

if TYPE_CHECKING:
    from registry.blobs.locations import S3Location

_CREDENTIALS = (
    "give boto3 credentials that may use this bucket: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "a profile (AWS_PROFILE), or a role"
)
_REGION = "name the bucket's region in the store's URL: ?region=NAME"
_BUSY = "the server is overloaded or in trouble: try again in a while"
_CHECKSUMS = (
    "a server that knows no S3 checksums needs AWS_REQUEST_CHECKSUM_CALCULATION=when_required in the "
    "environment; Content-MD5 is sent instead"
)
_AGAIN = "the bytes were damaged on their way: run the same command again"

_HINTS = {
    "NoSuchBucket": "make the bucket first, or correct its name in the store's URL",
    "NoSuchUpload": "somebody removed the upload while it was under way: run the same command again",
    "EntityTooLarge": "the server does not take objects of this size",
    "QuotaExceeded": "the bucket's quota is used up: free some space or raise it",
    "InsufficientCapacity": "the server has no space left",
    "RequestTimeTooSkewed": "set this machine's clock: it differs too much from the server's",
    **dict.fromkeys(("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"), _CREDENTIALS),
    **dict.fromkeys(("ExpiredToken", "InvalidToken", "TokenRefreshRequired"), _CREDENTIALS),
    **dict.fromkeys(("PermanentRedirect", "301", "AuthorizationHeaderMalformed"), _REGION),
    **dict.fromkeys(("IllegalLocationConstraintException", "400"), _REGION),
    **dict.fromkeys(("SlowDown", "ServiceUnavailable", "InternalError", "500", "502", "503"), _BUSY),
    **dict.fromkeys(("BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch"), _AGAIN),
    **dict.fromkeys(("NotImplemented", "InvalidRequest", "XAmzContentSHA256Mismatch"), _CHECKSUMS),
}
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_CONFLICT = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "OperationAborted", "409"})

_TROUBLES: tuple[tuple[tuple[type[BotoCoreError], ...], str, str], ...] = (
    (
        (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError),
        "no credentials for the store",
        _CREDENTIALS,
    ),
    ((ProfileNotFound,), "the AWS profile does not exist", "correct AWS_PROFILE"),
    (
        (SSLError,),
        "the server's certificate is not trusted",
        "name the authority's certificate file in AWS_CA_BUNDLE",
    ),
    ((ConnectTimeoutError, ReadTimeoutError), "the store did not answer in time", _BUSY),
    (
        (EndpointConnectionError,),
        "the store cannot be reached",
        "check that the server runs, and endpoint_url in the store's URL",
    ),
)


@contextmanager
def translated(location: S3Location, blob_id: str | None = None) -> Iterator[None]:
    """Turns what boto3 raises in the block into BlobMissing, BadEncryption or StoreUnavailable."""
    try:
        yield
    except ClientError as error:
        raise refusal(error, location, blob_id) from error
    except BotoCoreError as error:
        raise trouble(error, location) from error


def refusal(error: ClientError, location: S3Location, blob_id: str | None) -> RegistryError:
    """What an answer of the server that is an error amounts to."""
    code = code_of(error)
    if blob_id is not None and code in _ABSENT:
        return missing(blob_id, location)
    if blob_id is not None and code in ("InvalidRange", "416"):
        return BadEncryption("the blob ends too early", on=blob_id)
    hint = _HINTS.get(code) or (_BUSY if status_of(error) >= 500 else _CREDENTIALS)
    return StoreUnavailable(f"the store answered {code}", on=str(location), hint=hint)


def trouble(error: BotoCoreError, location: S3Location) -> StoreUnavailable:
    """What a failure on the way to the server, or before it, amounts to."""
    for kinds, message, hint in _TROUBLES:
        if isinstance(error, kinds):
            return StoreUnavailable(message, on=str(location), hint=hint)
    message = f"talking to the store failed: {type(error).__name__}"
    return StoreUnavailable(message, on=str(location), hint="try again; look at the network and the server")


def missing(blob_id: str, location: S3Location) -> BlobMissing:
    """The error for a blob that is not there."""
    return BlobMissing("the store does not have this blob", on=blob_id, hint=f"looked in {location}")


def code_of(error: ClientError) -> str:
    """The server's error code; answers to HEAD have none but the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer, 0 when unknown."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_absent(error: ClientError) -> bool:
    """Whether the answer says that there is no such object."""
    return code_of(error) in _ABSENT


def is_conflict(error: ClientError) -> bool:
    """Whether the answer says that the condition of a conditional write did not hold, or could not be
    decided because another write was under way: 412 and 409."""
    return code_of(error) in _CONFLICT or status_of(error) in (409, 412)
