"""A real S3 server for tests: the one that the environment names, else Ceph, else OpenStack Swift.

Named servers: HALLMARK_TEST_S3_ENDPOINT (http or https) and, where there is one, its other face in
HALLMARK_TEST_S3_TLS_ENDPOINT; the bucket in HALLMARK_TEST_S3_BUCKET, its certificate's authority in
HALLMARK_TEST_S3_CA, credentials for boto3 as usual.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from services.leases import Lease

NAMED = "HALLMARK_TEST_S3_ENDPOINT"
REGION = "us-east-1"
PLAIN, TLS, ATOMIC = "S3 over plain http", "S3 over TLS", "atomic conditional writes"

_HERE = Path(__file__).parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hallmark-tests"
_INSTALL_LIMIT = 900  # seconds; the first start downloads some 300 MB
_BUCKET = "hallmark-tests"
_SECRET = "hallmark-tests-secret"


class S3Missing(RuntimeError):
    """No S3 server could be started here."""


@dataclass(frozen=True)
class Server:
    """A running server, and what it cannot do: the reason for each test that is left out."""

    name: str
    bucket: str
    endpoint: str | None = None
    tls_endpoint: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)  # feature -> reason

    def url(self, prefix: str, *, tls: bool = False) -> str:
        """The store URL of a prefix."""
        endpoint = self.tls_endpoint if tls else self.endpoint or self.tls_endpoint
        return f"s3://{self.bucket}/{prefix}?endpoint_url={endpoint}&region={REGION}"

    def client(self) -> Any:
        """A boto3 client of our own for the tests' housekeeping."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint or self.tls_endpoint,
            region_name=REGION,
            aws_access_key_id=self.environment.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self.environment.get("AWS_SECRET_ACCESS_KEY"),
            verify=self.environment.get("AWS_CA_BUNDLE"),
            config=Config(s3={"addressing_style": "path"}),
        )


class S3:
    """The run's S3 server. ``notes`` is a directory that all processes of one run share."""

    def __init__(self, notes: Path) -> None:
        self._note = notes / "ceph-did-not-start"
        self._held: tuple[Lease, str] | None = None
        self._failure: S3Missing | None = None

    @staticmethod
    def plan() -> str:
        """What will be tried first, for people."""
        if os.environ.get(NAMED):
            return f"S3 server named in {NAMED}"
        return "OpenStack Swift, http only" if why_no_ceph() else "Ceph RADOS Gateway, http and https"

    @cached_property
    def server(self) -> Server:
        """The server, started where need be. Raises S3Missing."""
        if os.environ.get(NAMED):
            return _named()
        if self._failure is not None:
            raise self._failure  # tried once: the next test need not wait for it again
        try:
            server = self._choose()
        except S3Missing as error:
            self._failure = error
            raise
        client = server.client()
        if server.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=server.bucket)
        client.close()
        return server

    def close(self) -> None:
        """Give up this process's share."""
        if self._held is not None:
            lease, script = self._held
            lease.release(lambda: run(script, "stop"))

    def _choose(self) -> Server:
        why = why_no_ceph()
        if not why:
            try:
                self._take("ceph", "start-rgw.sh")
                return ceph()
            except S3Missing as error:
                why = f"Ceph did not start: {error}"
        self._take("swift", "start-swift.sh")
        return swift(why)

    def _take(self, name: str, script: str) -> None:
        lease = Lease(name)

        def start() -> None:
            if name == "ceph" and self._note.exists():  # another process of this run has tried
                raise S3Missing(self._note.read_text())
            try:
                run(script, "start")
            except S3Missing as error:
                if name == "ceph":
                    self._note.write_text(str(error))
                raise

        lease.take(start)
        self._held = lease, script


def why_no_ceph() -> str:
    """What start-rgw.sh lacks here; empty where it has all: root, and Debian's tools."""
    if os.environ.get("HALLMARK_TEST_S3") == "swift":
        return "HALLMARK_TEST_S3 asks for Swift"
    if os.geteuid() != 0:
        return "Ceph needs root"
    missing = [tool for tool in ("apt-get", "chroot", "mount") if shutil.which(tool) is None]
    return f"Ceph is installed with Debian's tools, and {missing[0]} is missing" if missing else ""


def run(script: str, verb: str) -> None:
    """Run one of the scripts beside this file. Raises S3Missing with the end of what it said."""
    environment = {
        **os.environ,
        "HALLMARK_RGW_ROOT": str(_ceph_root()),
        "HALLMARK_SWIFT_ROOT": str(_CACHE / "swift"),
        "PYTHON": sys.executable,
    }
    # to a file, not to a pipe: a pipe stays open as long as any daemon that inherited it
    with tempfile.TemporaryFile("w+") as output:
        try:
            code = subprocess.run(
                [_HERE / script, verb],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=_INSTALL_LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise S3Missing(f"{script} {verb} took longer than {_INSTALL_LIMIT} s") from error
        if code != 0:
            output.seek(0)
            raise S3Missing(f"{script} {verb} failed: {output.read()[-1500:].strip()}")


def ceph() -> Server:
    """What start-rgw.sh starts."""
    port = int(os.environ.get("HALLMARK_RGW_PORT", "7580"))
    return Server(
        name="Ceph RADOS Gateway",
        bucket=_BUCKET,
        endpoint=f"http://127.0.0.1:{port}",
        tls_endpoint=f"https://127.0.0.1:{port + 1}",
        environment=_environment("hallmark-tests", str(_ceph_root() / "srv/ceph/tls.crt")),
    )


def swift(why: str) -> Server:
    """What start-swift.sh starts, and what it leaves out; ``why`` Ceph does not run."""
    port = os.environ.get("HALLMARK_SWIFT_PORT", "7590")
    return Server(
        name="OpenStack Swift",
        bucket=_BUCKET,
        endpoint=f"http://127.0.0.1:{port}",
        environment=_environment("hallmark:tests", None),
        lacks={
            TLS: f"Swift is started without TLS; {why}",
            ATOMIC: f"Swift checks If-None-Match before it writes, not while; {why}",
        },
    )


def _named() -> Server:
    endpoints = [os.environ[NAMED], os.environ.get("HALLMARK_TEST_S3_TLS_ENDPOINT", "")]
    tls = next((url for url in endpoints if url.startswith("https://")), None)
    plain = next((url for url in endpoints if url.startswith("http://")), None)
    authority = os.environ.get("HALLMARK_TEST_S3_CA")
    missing = {feature: f"{NAMED} has none" for feature, url in ((TLS, tls), (PLAIN, plain)) if not url}
    return Server(
        name=f"S3 server named in {NAMED}",
        bucket=os.environ.get("HALLMARK_TEST_S3_BUCKET", _BUCKET),
        endpoint=plain,
        tls_endpoint=tls,
        environment={"AWS_CA_BUNDLE": authority} if authority else {},
        lacks=missing,
    )


def _environment(key: str, authority: str | None) -> dict[str, str]:
    """Credentials, and nothing of whatever else the machine's user has configured for boto3."""
    variables = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return variables | ({"AWS_CA_BUNDLE": authority} if authority else {})


def _ceph_root() -> Path:
    return Path(os.environ.get("HALLMARK_RGW_ROOT") or _CACHE / "ceph")
