"""Finds the packages; everything else about the project stands in pyproject.toml.

The folders `zoo/` and `cli/` lie beside `tfdpzoo/` and are installed inside it, as `tfdpzoo.zoo`
and `tfdpzoo.cli`. The static discovery of setuptools does not rename what it finds, so that a new
model would have to be listed by hand; here a new folder under `zoo/` is found by its presence.
"""

from setuptools import find_packages, setup

FOLDERS = {"tfdpzoo": "tfdpzoo", "tfdpzoo.zoo": "zoo", "tfdpzoo.cli": "cli"}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{found}" for found in find_packages(folder)))
    ],
)
