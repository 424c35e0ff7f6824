"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "hallmark-registry",
    "cryptography",
    "cedarpy",
    "msgspec",
    "sqlalchemy",
    "typer",
    "boto3",
    "onnx",
    "onnxruntime",
    "numpy",
)
_RIVALS = ("model-signing",)


def describe(directory: Path) -> list[tuple[str, str]]:
    """Name and value of everything that a figure may depend on."""
    return [
        ("processor", f"{_processor()}, {os.cpu_count()} core(s)"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.1f} GiB"),
        ("disk", _file_system(directory)),
        ("system", f"{_distribution()}, Linux {platform.release()}"),
        ("Python", f"{platform.python_version()}, its {ssl.OPENSSL_VERSION}"),
        ("packages", ", ".join(filter(None, map(_package, (*_PACKAGES, *_RIVALS))))),
        ("age", _output(["age", "--version"]) or "not installed"),
        ("load when the run began", f"{os.getloadavg()[0]:.1f}"),
    ]


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    features = re.search(r"flags\s*:\s*(.+)", _text("/proc/cpuinfo"))
    flags = set(features[1].split()) if features else set()
    wanted = [name for flag, name in (("sha_ni", "SHA"), ("vaes", "VAES"), ("aes", "AES")) if flag in flags]
    name = found[1] if found else platform.machine()
    return f"{name} ({', '.join(wanted)} instructions)" if wanted else name


def _file_system(directory: Path) -> str:
    shown = _output(["df", "--output=fstype,source", str(directory)]).splitlines()
    free = shutil.disk_usage(directory).free / (1 << 30)
    return f"{' on '.join(shown[-1].split()) if shown else 'unknown'}, {free:.0f} GiB free"


def _distribution() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.MULTILINE)
    return found[1] if found else platform.system()


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
