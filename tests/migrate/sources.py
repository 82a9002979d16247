"""Sources of other projects, fetched from the registries when a test runs; none is kept here.

Debian's come through apt with lists and a cache of their own, so neither root nor a change of the
machine's settings is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.parse
import urllib.request
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


def debian_source(package: str, folder: Path) -> Path:
    """Download and unpack a source package (its upstream archive); return the unpacked folder."""
    uri, release = _archive(folder)
    state, sources = folder / "apt", folder / "sources.list"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
    sources.write_text(f"deb-src{signed} {uri} {release} main\n")
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={state / 'lists'}",
        f"Dir::Cache={state / 'cache'}",
        "APT::Sandbox::User=root",
    ]
    apt = ["apt-get", *(f"-o{option}" for option in options)]
    _ask([*apt, "update"], folder)
    _ask([*apt, "source", "--download-only", package], folder)
    (archive,) = folder.glob(f"{package}_*.orig.tar.?z*")
    out = folder / package
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    (found,) = out.iterdir()
    return found


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
