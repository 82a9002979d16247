"""What others made, fetched from the registries when a test runs; none of it is kept here.

Debian's come through apt with lists and a cache of their own, so neither root nor a change of the
machine's settings is needed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NPM: Final = "https://registry.npmjs.org"


class NoSources(RuntimeError):
    """A registry does not give what is needed; the message says what was tried."""


def _ask(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSources(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise NoSources(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _archive(folder: Path) -> tuple[str, str]:
    """Return the Debian archive and the release that this machine's apt uses."""
    form = "$(COMPONENT)|$(REPO_URI)|$(RELEASE)"
    listing = _ask(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], folder)
    for line in listing.splitlines():
        component, uri, release = line.split("|")
        if component == "main" and "-" not in release:
            return uri, release
    raise NoSources("apt-get indextargets names no archive with a component called main")


@cache
def _apt() -> tuple[tuple[str, ...], tempfile.TemporaryDirectory[str]]:
    """Return options that give apt lists and a cache of its own, up to date, and their folder."""
    place = tempfile.TemporaryDirectory(prefix="mvvm-apt-")
    folder = Path(place.name)
    uri, release = _archive(folder)
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
    sources = folder / "sources.list"
    sources.write_text("".join(f"{k}{signed} {uri} {release} main\n" for k in ("deb", "deb-src")))
    settings = (
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={folder / 'lists'}",
        f"Dir::Cache={folder / 'cache'}",
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
    )
    options = tuple(f"-o{setting}" for setting in settings)
    _ask(["apt-get", *options, "update"], folder)
    return options, place


def debian_source(package: str, folder: Path) -> Path:
    """Download and unpack a source package (its upstream archive); return the unpacked folder."""
    options, _ = _apt()
    place = folder / package
    place.mkdir(parents=True, exist_ok=True)
    _ask(["apt-get", *options, "source", "--download-only", "--tar-only", package], place)
    (archive,) = place.glob(f"{package}_*.orig.tar.?z*")
    out = place / "source"
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    (found,) = out.iterdir()
    return found


def debian_programs(names: Sequence[str], wanted: str, folder: Path) -> Path:
    """Download packages and unpack them into one folder, which is returned; nothing is installed.

    They are `names` and those that these depend on, if their name matches `wanted` as a whole.
    """
    options, _ = _apt()
    place, root = folder / names[0], folder / names[0] / "root"
    place.mkdir(parents=True, exist_ok=True)
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    without = [f"--no-{kind}" for kind in kinds]
    tree = _ask(["apt-cache", *options, "depends", "--recurse", *without, *names], place)
    packages = [line for line in tree.splitlines() if re.fullmatch(wanted, line)]
    if not set(names) <= set(packages):
        raise NoSources(f"Debian's archive has no {', '.join(set(names) - set(packages))}")
    _ask(["apt-get", *options, "download", *packages], place)
    for package in place.glob("*.deb"):
        _ask(["dpkg-deb", "-x", str(package), str(root)], place)
    return root


def npm_package(name: str, version: str, folder: Path) -> Path:
    """Download and unpack a package of the npm registry; return the unpacked folder.

    Where npm is installed it fetches, so that its configuration holds; else the registry that
    NPM_CONFIG_REGISTRY names is asked, or the public one.
    """
    out = folder / name.replace("/", "-")
    out.mkdir(parents=True, exist_ok=True)
    npm = shutil.which("npm")
    if npm is not None:
        _ask([npm, "pack", "--silent", f"{name}@{version}"], out)
        (archive,) = out.glob("*.tgz")
    else:
        archive = out / "package.tgz"
        archive.write_bytes(_from_registry(name, version))
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return out / "package"


def _from_registry(name: str, version: str) -> bytes:
    """Return a package's archive by the registry's own interface."""
    registry = os.environ.get("NPM_CONFIG_REGISTRY", NPM).rstrip("/")
    quoted = urllib.parse.quote(name, safe="@")
    try:
        with urllib.request.urlopen(f"{registry}/{quoted}/{version}", timeout=60) as answer:
            address = json.load(answer)["dist"]["tarball"]
        with urllib.request.urlopen(address, timeout=120) as answer:
            return bytes(answer.read())
    except (OSError, urllib.error.URLError, ValueError, KeyError) as error:
        raise NoSources(f"{name} {version} from the npm registry: {error!r}") from error
