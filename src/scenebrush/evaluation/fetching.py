"""Getting missing measuring weights from their official addresses, when the user asks for it and never else."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from safetensors.torch import save

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation.assets import (
    ASSETS_VARIABLE,
    Archive,
    Asset,
    asset_folders,
    asset_named,
    find_asset,
)
from scenebrush.evaluation.weight_archives import archive_tensors
from scenebrush.scene.files import write_whole

Report = Callable[[str, int, int], None]
"""Is told a file's name, the bytes that are here, and the bytes in all."""

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte


def fetch_missing(names: Iterable[str], report: Report | None = None, *, folder: Path | None = None) -> list[Path]:
    """Fetches those of these assets that are not there yet; returns their paths, [] if all were there.

    Every archive is downloaded once, however many assets are in it, and is gone afterwards. Where one asset cannot
    be fetched, the others are fetched before the error is raised.

    Args:
        names: keys of `assets.ASSETS`.
        report: is told how the downloads go on.
        folder: where to look and where to put them; default: `assets.asset_folders()` and `cache_folder()`.

    Raises:
        ModelError: the address cannot be reached, or what it gave is not what it should be, or an asset has no
            public address; the message says what to put where.
        InputError: there is no such asset, or the folder cannot be written to.
    """
    wanted = [name for name in dict.fromkeys(names) if not _is_there(name, folder)]
    # What cannot be fetched comes last, so that its error does not cost the others.
    wanted.sort(key=lambda name: asset_named(name).archive is None)
    paths = []
    with tempfile.TemporaryDirectory(prefix="scenebrush-") as scratch:
        for name in wanted:
            paths.append(_fetch(name, Path(scratch), folder or cache_folder(), report))
    return paths


def fetch_asset(name: str, *, folder: Path | None = None, report: Report | None = None) -> Path:
    """Returns the path of an asset, fetched if it is not there; as `fetch_missing`."""
    fetched = fetch_missing([name], report, folder=folder)
    return fetched[0] if fetched else find_asset(name, folder)


def cache_folder() -> Path:
    """Returns where fetched weights go: `SCENEBRUSH_ASSETS` if it may be written to, else `~/.cache/scenebrush`."""
    *named, cache = asset_folders()
    if named and named[0].is_dir() and os.access(named[0], os.W_OK):
        return named[0]
    return cache


def _is_there(name: str, folder: Path | None) -> bool:
    try:
        find_asset(name, folder)
    except ModelError:
        return False
    return True


def _fetchable(name: str) -> tuple[Asset, Archive]:
    asset = asset_named(name)
    if asset.archive is None:
        raise ModelError(
            f"{asset.file} cannot be fetched: no public address holds this very file; take it from where the project"
            f" keeps its weights, put it into the folder that {ASSETS_VARIABLE} names, and see that its sha256 is"
            f" {asset.sha256} ({asset.source})"
        )
    return asset, asset.archive


def _fetch(name: str, scratch: Path, folder: Path, report: Report | None) -> Path:
    asset, archive = _fetchable(name)
    downloaded = scratch / archive.url.rpartition("/")[2]
    if not downloaded.is_file():
        _download(archive, downloaded, report)
    data = save(archive_tensors(name, downloaded, archive.member))
    found = hashlib.sha256(data).hexdigest()
    if found != asset.sha256:
        raise ModelError(f"{archive.url} gave {asset.file} with sha256 {found}, expected {asset.sha256}; nothing kept")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error}); set {ASSETS_VARIABLE} to a folder of yours") from error

    def write(file: BinaryIO) -> None:
        file.write(data)

    return write_whole(folder / asset.file, write)


def _download(archive: Archive, path: Path, report: Report | None) -> None:
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(archive.url, timeout=TIMEOUT) as answer, path.open("wb") as file:
            while block := answer.read(CHUNK):
                file.write(block)
                digest.update(block)
                done += len(block)
                if report:
                    report(path.name, done, archive.size)
    except (OSError, urllib.error.URLError) as error:
        path.unlink(missing_ok=True)
        reason = str(error).replace("\n", " ")
        raise ModelError(f"{archive.url} cannot be fetched ({reason}); try again, or fetch it by hand") from error
    if digest.hexdigest() != archive.sha256:
        path.unlink()
        raise ModelError(
            f"{archive.url} gave {done} bytes with sha256 {digest.hexdigest()}, expected {archive.size} bytes with"
            f" {archive.sha256}; nothing kept, try again"
        )
