"""A real PostgreSQL for tests: the binaries of the wheel ``pgserver``, or those of the machine.

The server listens on a socket only, keeps its data under the temporary directory, and syncs nothing to
disk: it is gone after the run. It refuses to run as root, so root starts it as the user ``nobody``, who
gets a copy of the binaries where they lie in a place that is closed to him.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
from functools import cached_property
from pathlib import Path

from services.leases import Lease, runtime_directory

NAMED = "HALLMARK_TEST_POSTGRES_URL"
_LIMIT = 120  # seconds, for any one step
_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL that could be started here."""


class Postgres:
    """The server's administration URL, and the share in it that this process has."""

    def __init__(self) -> None:
        self._lease: Lease | None = None
        self._node = _Node()

    @staticmethod
    def plan() -> str:
        """What will be used, for people."""
        if os.environ.get(NAMED):
            return f"PostgreSQL named in {NAMED}"
        directory = _binaries()
        return f"PostgreSQL from {directory.parent.parent.name}" if directory else "no PostgreSQL"

    @cached_property
    def url(self) -> str:
        """A ``postgresql+psycopg://`` URL that may create databases. Raises PostgresMissing."""
        named = os.environ.get(NAMED)
        if named:
            return named
        self._lease = Lease("postgres")
        self._lease.take(self._node.start)
        return f"postgresql+psycopg://postgres@/postgres?host={self._node.sockets}"

    def close(self) -> None:
        if self._lease is not None:
            self._lease.release(self._node.stop)


class _Node:
    def __init__(self) -> None:
        self._home = runtime_directory() / "postgres"
        self._data = self._home / "data"
        self.sockets = self._home
        self._bin: Path | None = None

    def start(self) -> None:
        self._bin = _binaries()
        if self._bin is None:
            raise PostgresMissing("no PostgreSQL: neither the wheel pgserver nor initdb on this machine")
        if self._is_up():
            return
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir()
        if os.geteuid() == 0:
            self._bin = self._reachable(self._bin)
            user = pwd.getpwnam("nobody")
            os.chown(self._home, user.pw_uid, user.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", "--username=postgres")
        settings = _SETTINGS | {"unix_socket_directories": str(self.sockets)}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "start", "-w", f"--options={options}", f"--log={self._home / 'log'}")

    def stop(self) -> None:
        self._bin = self._bin or _binaries()
        self._run("pg_ctl", "stop", "-w", "--mode=immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    def _is_up(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.sockets / ".s.PGSQL.5432")) == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            log = self._home / "log"
            more = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} failed:\n{done.stdout}{more}")

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self._bin is not None
        copy = self._home / "install" / "bin"
        command = [
            str((copy if copy.is_dir() else self._bin) / program),
            f"--pgdata={self._data}",
            *arguments,
        ]
        # to a file, not to a pipe: the server inherits it, and a pipe would be open as long as it runs
        with (runtime_directory() / "postgres.out").open("w+") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                user="nobody" if os.geteuid() == 0 else None,
                timeout=_LIMIT,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read())

    def _reachable(self, directory: Path) -> Path:
        try:
            subprocess.run([directory / "postgres", "-V"], user="nobody", capture_output=True, check=True)
        except (PermissionError, subprocess.CalledProcessError):
            return _copy(directory.parent, self._home / "install") / "bin"
        return directory


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    libraries = source.parent.parent / "pgserver.libs"  # where the wheel's libraries look for their own
    if libraries.is_dir():
        beside = target.parent.parent / libraries.name
        shutil.copytree(libraries, beside, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", beside], check=True)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return target


def _binaries() -> Path | None:
    wheel = importlib.util.find_spec("pgserver")  # found, not imported: it would look for directories
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None
