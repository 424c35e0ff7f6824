"""Where a store lies: the text in a configuration, taken apart and checked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from registry.errors import InvalidInput

_S3_FORM = "write it as s3://BUCKET/PREFIX?endpoint_url=URL&region=NAME"


@dataclass(frozen=True, slots=True)
class S3Location:
    """Which bucket, where in it, and at which server. Never holds a credential."""

    bucket: str
    prefix: str  # "" or "some/where", no slash at either end
    endpoint_url: str | None
    region: str | None

    def key(self, blob_id: str) -> str:
        """The object key of a blob."""
        return f"{self.prefix}/{blob_id}" if self.prefix else blob_id

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix} at {self.endpoint_url or 'Amazon S3'}"


def parse_s3(url: str) -> S3Location:
    """Read an ``s3://`` URL. Raises InvalidInput, and never repeats a password that somebody put there."""
    parts = _split(url)
    if "@" in parts.netloc:
        raise InvalidInput(
            "credentials do not belong in the store's URL",
            on=shown(url),
            hint="put them into the environment (AWS_ACCESS_KEY_ID, …) or a profile",
        )
    if not parts.netloc or parts.fragment or ":" in parts.netloc:
        raise InvalidInput("not the URL of an S3 bucket", on=shown(url), hint=_S3_FORM)
    options = _options(parts, url)
    return S3Location(
        bucket=parts.netloc,
        prefix=_prefix(parts, url),
        endpoint_url=_endpoint(options.get("endpoint_url"), url),
        region=options.get("region"),
    )


def file_path(url: str) -> str:
    """The path in a ``file://`` URL. Raises InvalidInput."""
    parts = _split(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or parts.query or parts.fragment:
        raise InvalidInput("not the URL of a directory", on=shown(url), hint="write it as file:///a/path")
    return path


def scheme_of(url: str) -> str:
    """The URL's scheme. Raises InvalidInput."""
    return _split(url).scheme


def shown(url: str) -> str:
    """``url`` without query and user part: either may hold a secret."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.split("?")[0].split("#")[0].rpartition("@")[2] if mark else url.split("?")[0]


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InvalidInput("not a URL", hint="use an absolute path or s3://…") from error


def _options(parts: SplitResult, url: str) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    unknown = sorted(set(options) - {"endpoint_url", "region"})
    if unknown or len(options) != len(pairs) or not all(options.values()):
        what = f"unknown option {unknown[0]!r}" if unknown else "an option is empty or given twice"
        raise InvalidInput(f"{what} in the store's URL", on=shown(url), hint=_S3_FORM)
    return options


def _prefix(parts: SplitResult, url: str) -> str:
    prefix = unquote(parts.path).strip("/")
    # botocore would resolve dots, and some servers empty segments: two URLs for one place
    if prefix and any(segment in ("", ".", "..") for segment in prefix.split("/")):
        raise InvalidInput("the prefix has an empty or a dotted segment", on=shown(url), hint=_S3_FORM)
    return prefix


def _endpoint(endpoint: str | None, url: str) -> str | None:
    if endpoint is None:
        return None
    parts = _split(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise InvalidInput("endpoint_url is not an http or https URL", on=shown(url), hint=_S3_FORM)
    return endpoint
