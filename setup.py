"""Which packages are installed, and under which names; everything else is in pyproject.toml.

``cli`` and ``migrations`` are good names in the source tree and bad ones in site-packages, so they are
installed as ``registry_cli`` and ``registry_migrations`` and import relatively inside. The static
configuration can discover packages or rename them, not both; here a new subpackage needs no entry.
"""

from setuptools import find_packages, setup

FOLDERS = {"registry": "registry", "registry_cli": "cli", "registry_migrations": "migrations"}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
)
