"""Inventory of named weights and their files, with a Hugging Face cache laid out by hand."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import save_file

from easi3r.errors import CheckpointError
from easi3r.model import DUSt3R, embedded_card, list_weights, load_checkpoint, named_weights
from easi3r.model.catalogue import UNKNOWN_LICENCE, allows_commercial_use, licence_of
from easi3r.model.inventory import Place
from tests.model.sizes import TINY, build

DUST3R = "naver/DUSt3R_ViTLarge_BaseDecoder_512_dpt"
MONST3R = "Junyi42/MonST3R_PO-TA-S-W_ViTLarge_BaseDecoder_512_dpt"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; any attempt to go online fails the test."""

    def refuse(*_: object) -> None:
        pytest.fail("went online")

    monkeypatch.setattr("socket.socket.connect", refuse)
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def put_in_cache(cache: Path, repository: str, files: dict[str, bytes]) -> Path:
    """Files of a repository's `main`, laid out as Hugging Face's library does."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for part in (snapshot, folder / "refs", folder / "blobs"):
        part.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


def checkpoint(folder: Path, network: DUSt3R) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    path = folder / "model.safetensors"
    save_file({name: t.clone() for name, t in network.state_dict().items()}, path)
    config = json.dumps(TINY.to_json()).encode()
    return {"config.json": config, "model.safetensors": path.read_bytes()}


def test_embedded_and_published_weights_are_listed() -> None:
    nano, *published = list_weights()
    loaded = load_checkpoint("nano")
    assert nano.name == "nano"
    assert nano.place is Place.EMBEDDED
    assert nano.file is not None
    assert nano.file.sha256 == loaded.sha256
    assert nano.file.bytes == nano.file.path.stat().st_size
    assert nano.parameters == sum(p.numel() for p in loaded.network.parameters())
    assert (nano.licence, nano.commercial_use) == ("Apache-2.0", True)
    assert [weights.name for weights in published] == [DUST3R, MONST3R]
    assert [weights.method for weights in published] == ["DUSt3R", "MonST3R"]
    for weights in published:
        assert (weights.licence, weights.commercial_use) == ("CC BY-NC-SA 4.0", False)
        assert (weights.parameters, weights.long_side_px) == (571_171_208, 512)
        assert (weights.place, weights.file) == (Place.ABSENT, None)
        assert "unknown until downloaded" in str(weights)
        assert weights.source.endswith(f"/{weights.name}")


def test_cached_weights_are_listed_with_their_file(hub_cache: Path) -> None:
    snapshot = put_in_cache(hub_cache, DUST3R, {"config.json": b"{}", "model.safetensors": b"tiny"})
    _, dust3r, monst3r = list_weights()
    assert dust3r.place is Place.CACHED
    assert dust3r.file is not None
    assert dust3r.file.path == snapshot / "model.safetensors"
    assert dust3r.file.bytes == 4
    assert dust3r.file.sha256 == hashlib.sha256(b"tiny").hexdigest()
    assert str(snapshot) in str(dust3r)
    assert monst3r.place is Place.ABSENT


@pytest.mark.parametrize("only", ["config.json", "model.safetensors"])
def test_an_incomplete_download_counts_as_absent(hub_cache: Path, only: str) -> None:
    put_in_cache(hub_cache, MONST3R, {only: b"{}"})
    assert named_weights(MONST3R).place is Place.ABSENT


def test_a_deleted_blob_counts_as_absent(hub_cache: Path) -> None:
    snapshot = put_in_cache(hub_cache, DUST3R, {"config.json": b"{}", "model.safetensors": b"tiny"})
    (snapshot / "model.safetensors").resolve().unlink()
    assert named_weights(DUST3R).place is Place.ABSENT


def test_a_folder_of_the_repositorys_name_takes_precedence(tmp_path: Path, hub_cache: Path) -> None:
    put_in_cache(hub_cache, DUST3R, {"config.json": b"{}", "model.safetensors": b"tiny"})
    for name, content in checkpoint(tmp_path / DUST3R, build(TINY)).items():
        (tmp_path / DUST3R / name).write_bytes(content)
    listed = named_weights(DUST3R)
    assert listed.place is Place.FOLDER
    assert listed.file is not None
    assert listed.file.sha256 == load_checkpoint(DUST3R).sha256
    (tmp_path / DUST3R / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"lacks config\.json"):
        named_weights(DUST3R)


LOAD_AND_LIST = """
import sys
from easi3r.model import load_checkpoint, named_weights
loaded, listed = load_checkpoint(sys.argv[1]), named_weights(sys.argv[1])
print(listed.file.sha256, loaded.sha256 == listed.file.sha256, loaded.licence == listed.licence)
"""


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_the_listed_file_is_the_loaded_one(tmp_path: Path, variable: str) -> None:
    cache = tmp_path / "chosen" / "hub"
    files = checkpoint(tmp_path / "made", build(TINY))
    put_in_cache(cache, MONST3R, files)
    chosen = {"HF_HUB_CACHE": cache, "HF_HOME": cache.parent}[variable]
    environment = {n: v for n, v in os.environ.items() if n not in ("HF_HUB_CACHE", "HF_HOME")}
    run = subprocess.run(
        [sys.executable, "-c", LOAD_AND_LIST, MONST3R],
        env=environment | {variable: str(chosen), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    expected = hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert run.stdout.split() == [expected, "True", "True"], run.stderr


def test_only_embedded_weights_have_a_card() -> None:
    card = embedded_card("nano")
    assert card is not None
    assert load_checkpoint("nano").sha256 in card
    assert embedded_card(DUST3R) is None


def test_unknown_names_are_refused_with_a_list_of_known_ones() -> None:
    with pytest.raises(CheckpointError, match="no weights are known by that name") as caught:
        named_weights("micro")
    for name in ("nano", DUST3R, MONST3R):
        assert name in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "published"),
    [
        (DUST3R, True),
        ("naver/another", True),
        ("DUSt3R_ViTLarge_512", True),
        ("monst3r-mine", True),
        ("naver", False),
        ("mine", False),
        ("someone/DUSt3R", False),
    ],
)
def test_licences_follow_names(name: str, published: bool) -> None:
    assert licence_of(name) == ("CC BY-NC-SA 4.0" if published else UNKNOWN_LICENCE)
    assert not allows_commercial_use(licence_of(name))
