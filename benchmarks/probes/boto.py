"""Plain boto3: ``upload``, ``download`` or ``remove``, then FILE, URL (as a registry is told) and KEY.

``remove`` removes every object whose key begins with KEY.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config

from benchmarks.probes.reading import report


def client(url: str) -> tuple[Any, str]:
    """A client with boto3's own settings but for the path-style address, and the bucket."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    made = boto3.client(
        "s3",
        endpoint_url=options.get("endpoint_url"),
        region_name=options.get("region", "us-east-1"),
        config=Config(s3={"addressing_style": "path"}),
    )
    return made, parts.netloc


def main() -> None:
    verb, file, url, key = sys.argv[1:]
    made, bucket = client(url)
    if verb == "upload":
        report(lambda: made.upload_file(file, bucket, key))
    elif verb == "download":
        report(lambda: made.download_file(bucket, key, file))
    else:
        pages = made.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        report(lambda: [made.delete_object(Bucket=bucket, Key=name) for name in names])


if __name__ == "__main__":
    main()
