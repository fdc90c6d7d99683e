"""Checkpoints written here in the layouts docs/method.md §1 describes, with tiny networks."""

import argparse
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from easi3r.config import MotionCalibration, WeightDefaults
from easi3r.errors import CheckpointError, StorageUnavailableError
from easi3r.model import (
    DUSt3R,
    LoadedModel,
    ModelConfig,
    defaults_of,
    load_checkpoint,
    normalise,
    save_checkpoint,
)
from easi3r.model.locations import embedded_names
from easi3r.model.precision import has_bfloat16
from tests.model.sizes import EDGES, TINY, build, images

RELEASED = replace(
    TINY,
    head="linear",
    long_side_px=512,
    dpt_hook_channels=(96, 192, 384, 768),  # released descriptions do not tell these widths
    dpt_channels=256,
)
CONSTRUCTOR = (
    "AsymmetricCroCo3DStereo(pos_embed='RoPE100', patch_embed_cls='PatchEmbedDust3R', "
    "img_size=(512, 512), head_type='linear', output_mode='pts3d', "
    "depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), enc_embed_dim=32, enc_depth=2, "
    "enc_num_heads=2, dec_embed_dim=48, dec_depth=4, dec_num_heads=3, landscape_only=False)"
)
KEYWORDS = {
    "pos_embed": "RoPE100",
    "patch_embed_cls": "PatchEmbedDust3R",
    "img_size": [512, 512],
    "head_type": "linear",
    "output_mode": "pts3d",
    "depth_mode": ["exp", float("-inf"), float("inf")],
    "conf_mode": ["exp", 1, float("inf")],
    "enc_embed_dim": 32,
    "enc_depth": 2,
    "enc_num_heads": 2,
    "dec_embed_dim": 48,
    "dec_depth": 4,
    "dec_num_heads": 3,
    "landscape_only": False,
}


@pytest.fixture(scope="module")
def network() -> DUSt3R:
    return build(RELEASED).requires_grad_(False)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EASI3R_CACHE", str(folder))
    return folder


def write_pth(path: Path, state: object, text: str = CONSTRUCTOR) -> Path:
    args = argparse.Namespace(model=text, lr=1e-4, output_dir="checkpoints", epochs=100)
    torch.save({"args": args, "model": state, "epoch": 3}, path)
    return path


def write_folder(folder: Path, state: dict[str, torch.Tensor], config: object = KEYWORDS) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same_outputs(loaded: LoadedModel, network: DUSt3R) -> None:
    inputs = normalise(images(32, 48))
    ours, _ = loaded.network.predict(loaded.network.encode(inputs), EDGES)
    expected, _ = network.predict(network.encode(inputs), EDGES)
    assert torch.equal(ours.points_2, expected.points_2)
    assert torch.equal(ours.confidence_1, expected.confidence_1)


def test_released_pth(tmp_path: Path, network: DUSt3R) -> None:
    path = write_pth(tmp_path / "DUSt3R_ViTLarge_512.pth", network.state_dict())
    loaded = load_checkpoint(str(path), sha256(path))
    assert_same_outputs(loaded, network)
    assert loaded.config == RELEASED
    assert loaded.sha256 == sha256(path)
    assert loaded.name == "DUSt3R_ViTLarge_512"
    assert loaded.licence == "CC BY-NC-SA 4.0"
    assert not loaded.network.training


def test_released_folder(tmp_path: Path, network: DUSt3R) -> None:
    folder = write_folder(tmp_path / "mine", network.state_dict())
    loaded = load_checkpoint(str(folder))
    assert_same_outputs(loaded, network)
    assert loaded.sha256 == sha256(folder / "model.safetensors")
    assert loaded.name == "mine"
    assert loaded.licence == "unknown (treat as non-commercial)"


def test_second_decoder_is_copied_where_there_is_none(tmp_path: Path, network: DUSt3R) -> None:
    state = {n: t for n, t in network.state_dict().items() if not n.startswith("dec_blocks2.")}
    loaded = load_checkpoint(str(write_pth(tmp_path / "one.pth", state))).network
    first, second = loaded.dec_blocks[1].mlp.fc1.weight, loaded.dec_blocks2[1].mlp.fc1.weight
    assert torch.equal(second, network.dec_blocks[1].mlp.fc1.weight)
    assert first.data_ptr() != second.data_ptr()


@pytest.mark.parametrize("stored", ["layer_rn.", "layer1_rn"])
def test_tied_tensors_may_be_stored_under_either_name(tmp_path: Path, stored: str) -> None:
    network = build(TINY).requires_grad_(False)
    dropped = "layer1_rn" if stored == "layer_rn." else "layer_rn.0"
    state = {n: t.clone() for n, t in network.state_dict().items() if dropped not in n}
    loaded = load_checkpoint(str(write_folder(tmp_path / "tied", state, TINY.to_json())))
    assert_same_outputs(loaded, network)


def test_tied_tensors_that_differ_are_refused(tmp_path: Path) -> None:
    state = {n: t.clone() for n, t in build(TINY).state_dict().items()}
    state["downstream_head1.dpt.scratch.layer_rn.2.weight"] += 1
    folder = write_folder(tmp_path / "untied", state, TINY.to_json())
    with pytest.raises(CheckpointError, match=r"1 different although tied: .*layer_rn\.2"):
        load_checkpoint(str(folder))


def test_save_and_load(tmp_path: Path) -> None:
    network = build(TINY).half().float().requires_grad_(False)
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, network, licence="Apache-2.0")
    loaded = load_checkpoint(str(path))
    assert_same_outputs(loaded, network)
    assert loaded.config == TINY
    assert loaded.licence == "Apache-2.0"
    assert next(loaded.network.parameters()).dtype == torch.float32
    tied = 3 * 3 * TINY.dpt_channels * sum(TINY.dpt_hook_channels) * 2
    parameters = sum(t.numel() for t in network.state_dict().values()) - tied
    assert path.stat().st_size < 2 * parameters + 60_000


def test_recommended_settings_travel_in_the_file_and_its_hash(tmp_path: Path) -> None:
    network = build(TINY)
    calibration = MotionCalibration(
        coefficients=(0.1, -2.0), intercept=-1.0, threshold=0.2, certain=0.7
    )
    defaults = WeightDefaults(cue="combined", calibration=calibration, flow_weight=2.5)
    plain, advised = tmp_path / "plain.safetensors", tmp_path / "advised.safetensors"
    save_checkpoint(plain, network, "Apache-2.0")
    save_checkpoint(advised, network, "Apache-2.0", defaults)
    assert load_checkpoint(str(plain)).recommended == WeightDefaults()
    loaded = load_checkpoint(str(advised))
    assert loaded.recommended == defaults
    assert loaded.sha256 != load_checkpoint(str(plain)).sha256


def test_recommended_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    save_checkpoint(weights, build(TINY), "Apache-2.0")
    save_file(load_file(weights), weights, {"easi3r_defaults": '{"cue": "telepathy"}'})
    with pytest.raises(CheckpointError, match="recommended settings"):
        load_checkpoint(str(weights))


def test_every_difference_of_the_tensors_is_in_one_error(tmp_path: Path, network: DUSt3R) -> None:
    state = dict(network.state_dict())
    del state["enc_norm.weight"]
    state["extra"] = torch.zeros(1)
    state["dec_norm.bias"] = torch.zeros(3)
    state["dec_norm.weight"] = torch.zeros(48, dtype=torch.int64)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(str(write_pth(tmp_path / "odd.pth", state)))
    message = str(caught.value)
    assert "1 missing: enc_norm.weight" in message
    assert "1 unexpected: extra" in message
    assert "dec_norm.bias (3,) instead of (48,)" in message
    assert "dec_norm.weight of torch.int64" in message


def test_the_error_of_a_wrong_hash_names_both_hashes(tmp_path: Path, network: DUSt3R) -> None:
    path = write_pth(tmp_path / "a.pth", network.state_dict())
    with pytest.raises(CheckpointError, match=f"{sha256(path)}, not {'0' * 64}"):
        load_checkpoint(str(path), "0" * 64)


class Hostile:
    """Would create a file when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_a_hostile_pickle_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "created"
    path = write_pth(tmp_path / "hostile.pth", {"weight": Hostile(target)})
    with pytest.raises(CheckpointError, match="more than weights"):
        load_checkpoint(str(path))
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(CheckpointError, match="more than weights"):
        load_checkpoint(str(plain))
    assert not target.exists()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Network(enc_depth=__import__('os').system('true'))",
        "Network(3)",
        "Network(enc_depth=[x for x in (1,)])",
        "not python at all",
        "",
        "(" * 5000,
    ],
)
def test_constructor_text_is_never_evaluated(tmp_path: Path, text: str) -> None:
    path = write_pth(tmp_path / "text.pth", {}, text)
    with pytest.raises(CheckpointError, match="constructor text"):
        load_checkpoint(str(path))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"output_mode": "pts3d+desc24"}, "output_mode='pts3d\\+desc24' is not supported"),
        ({"depth_mode": ["linear", float("-inf"), float("inf")]}, "depth_mode="),
        ({"conf_mode": ["exp", 0, float("inf")]}, "conf_mode="),
        ({"conf_mode": None}, "conf_mode=None"),
        ({"head_type": "catmlp+dpt"}, "head_type="),
        ({"pos_embed": "cosine"}, "pos_embed='cosine'"),
        ({"enc_depth": "many"}, "unusable"),
        ({"dec_num_heads": 5}, "decoder_heads"),
        ({"img_size": []}, "unusable"),
    ],
)
def test_networks_of_another_kind_are_refused(
    tmp_path: Path, change: dict, problem: str, network: DUSt3R
) -> None:
    folder = write_folder(tmp_path / "other", network.state_dict(), KEYWORDS | change)
    with pytest.raises(CheckpointError, match=problem):
        load_checkpoint(str(folder))


def test_unknown_keywords_are_logged_and_the_tensors_decide(
    tmp_path: Path, network: DUSt3R, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "new", network.state_dict(), KEYWORDS | {"novelty": 3})
    assert_same_outputs(load_checkpoint(str(folder)), network)
    assert "ignoring unknown keywords ['novelty']" in caplog.text


def test_a_missing_size_is_named_in_the_error(tmp_path: Path, network: DUSt3R) -> None:
    keywords = {name: value for name, value in KEYWORDS.items() if name != "dec_depth"}
    folder = write_folder(tmp_path / "short", network.state_dict(), keywords)
    with pytest.raises(CheckpointError, match="lacks dec_depth"):
        load_checkpoint(str(folder))


@pytest.mark.parametrize(("name", "keep"), [("a.pth", 0), ("a.pth", 1000), ("a.pth", -1000)])
def test_a_truncated_pth_is_refused(tmp_path: Path, network: DUSt3R, name: str, keep: int) -> None:
    path = write_pth(tmp_path / name, network.state_dict())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_truncated_safetensors_is_refused(tmp_path: Path, network: DUSt3R, keep: int) -> None:
    folder = write_folder(tmp_path / "cut", network.state_dict())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="not a readable safetensors"):
        load_checkpoint(str(folder))


@pytest.mark.parametrize("content", [{"model": {}}, {"args": 1, "model": {}}, [1], {"a": 1}])
def test_a_pth_of_another_layout_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "layout.pth")
    with pytest.raises(CheckpointError, match=r"lacks `args\.model`"):
        load_checkpoint(str(tmp_path / "layout.pth"))


@pytest.mark.parametrize(("text", "problem"), [("{", "not JSON"), ("[]", "not a JSON object")])
def test_an_unreadable_config_is_refused(
    tmp_path: Path, network: DUSt3R, text: str, problem: str
) -> None:
    folder = write_folder(tmp_path / "config", network.state_dict())
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=problem):
        load_checkpoint(str(folder))


def test_a_config_that_describes_no_network_is_refused(tmp_path: Path, network: DUSt3R) -> None:
    folder = write_folder(tmp_path / "config", network.state_dict(), {"patch_size": 16})
    with pytest.raises(CheckpointError, match="describes no network"):
        load_checkpoint(str(folder))


@pytest.mark.skipif("nano" not in embedded_names(), reason="nano is not trained yet")
def test_the_embedded_model_loads_and_is_small() -> None:
    loaded = load_checkpoint("nano")
    assert loaded.name == "nano"
    assert loaded.licence == "Apache-2.0"
    assert sum(p.numel() for p in loaded.network.parameters()) <= 8_000_000
    patch = loaded.config.patch_size
    features = loaded.network.encode(normalise(images(6 * patch, 8 * patch)))
    prediction, _ = loaded.network.predict(features, EDGES)
    assert torch.isfinite(prediction.points_1).all()


def test_missing_files_are_named_in_the_error(tmp_path: Path, network: DUSt3R) -> None:
    with pytest.raises(CheckpointError, match="no embedded weights of that name"):
        load_checkpoint("no-such-weights")
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(str(tmp_path / "absent.pth"))
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint("folder/absent.pth")
    with pytest.raises(CheckpointError, match=r"lacks model\.safetensors and config\.json"):
        load_checkpoint(str(tmp_path))
    save_file(dict(network.state_dict()), tmp_path / "alone.safetensors")
    with pytest.raises(CheckpointError, match="no config stands beside"):
        load_checkpoint(str(tmp_path / "alone.safetensors"))


@pytest.fixture
def bucket() -> Iterator[str]:
    url = "memory://weights"
    yield url
    fsspec.filesystem("memory").rm("/weights", recursive=True)


def test_a_url_is_downloaded_once(
    tmp_path: Path, cache: Path, bucket: str, network: DUSt3R
) -> None:
    folder = write_folder(tmp_path / "source", network.state_dict())
    path = write_pth(tmp_path / "released.pth", network.state_dict())
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), f"{bucket}/folder", recursive=True)
    memory.put(str(path), f"{bucket}/released.pth")
    assert_same_outputs(load_checkpoint(f"{bucket}/folder/"), network)
    loaded = load_checkpoint(f"{bucket}/released.pth")
    assert_same_outputs(loaded, network)
    assert loaded.sha256 == sha256(path)
    record = next(cache.rglob("released.pth.sha256"))
    assert record.read_text() == loaded.sha256
    memory.rm(f"{bucket}/released.pth")
    assert load_checkpoint(f"{bucket}/released.pth").sha256 == loaded.sha256
    assert not list(cache.rglob("*.partial"))


def test_a_safetensors_url_brings_its_config(tmp_path: Path, bucket: str, network: DUSt3R) -> None:
    save_checkpoint(tmp_path / "mine.safetensors", network, licence="Apache-2.0")
    memory = fsspec.filesystem("memory")
    for name in ("mine.safetensors", "mine.json"):
        memory.put(str(tmp_path / name), f"{bucket}/{name}")
    assert load_checkpoint(f"{bucket}/mine.safetensors").licence == "Apache-2.0"


def test_a_changed_copy_in_the_cache_is_refused(
    tmp_path: Path, cache: Path, bucket: str, network: DUSt3R
) -> None:
    path = write_pth(tmp_path / "released.pth", network.state_dict())
    fsspec.filesystem("memory").put(str(path), f"{bucket}/released.pth")
    load_checkpoint(f"{bucket}/released.pth")
    with next(cache.rglob("released.pth")).open("ab") as copy:
        copy.write(b"x")
    with pytest.raises(CheckpointError, match="has changed since"):
        load_checkpoint(f"{bucket}/released.pth")


def test_unusable_urls_are_refused(cache: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint("memory://nothing/here.pth")
    with pytest.raises(CheckpointError, match="fsspec cannot open"):
        load_checkpoint("nonsense://bucket/here.pth")
    with pytest.raises(StorageUnavailableError, match="download failed"):
        load_checkpoint("http://127.0.0.1:9/here.pth")
    assert not [entry for entry in cache.rglob("*") if entry.is_file()]


class HubHandler(BaseHTTPRequestHandler):
    """Serves files of one repository as a Hugging Face server does; everything else is 404."""

    def __init__(self, root: Path, *args: object) -> None:
        self.root = root
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        prefix, _, name = self.path.partition("/resolve/main/")
        path = self.root / name
        if prefix == "/forbidden.pth":
            self.send_error(403)
            return b""
        if prefix != "/naver/tiny" or not name or not path.is_file():
            self.send_response(404)
            missing = "EntryNotFound" if prefix == "/naver/tiny" else "RepoNotFound"
            self.send_header("X-Error-Code", missing)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def hub(root: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(HubHandler, root))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_refusals_of_a_server_are_permanent_errors(tmp_path: Path) -> None:
    with hub(tmp_path) as endpoint:
        with pytest.raises(CheckpointError, match="403"):
            load_checkpoint(f"{endpoint}/forbidden.pth")
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_checkpoint(f"{endpoint}/absent.pth")


LOAD_FROM_HUB = """
import sys
from easi3r.errors import Easi3RError
from easi3r.model import load_checkpoint
for repository in sys.argv[1:]:
    try:
        loaded = load_checkpoint(repository)
        print(loaded.name, loaded.licence, loaded.sha256)
    except Easi3RError as error:
        print(type(error).__name__, error)
"""


def test_a_repository_of_a_server_named_by_hf_endpoint(tmp_path: Path, network: DUSt3R) -> None:
    folder = write_folder(tmp_path / "repository", network.state_dict())
    environment = os.environ | {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", LOAD_FROM_HUB, "naver/tiny"]
    with hub(folder) as endpoint:
        environment["HF_ENDPOINT"] = endpoint
        run = subprocess.run(
            [*command, "naver/absent"], env=environment, capture_output=True, text=True, check=True
        )
    loaded, absent = run.stdout.splitlines()
    assert loaded == f"naver/tiny CC BY-NC-SA 4.0 {sha256(folder / 'model.safetensors')}"
    assert absent.startswith("CheckpointError naver/absent: no such path here")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == loaded, "the server is gone, its files are in HF_HOME"


def test_weights_of_the_published_size_run_in_bfloat16_unless_they_say_otherwise() -> None:
    assert defaults_of(ModelConfig.published()).precision == "bfloat16"
    assert defaults_of(TINY).precision == "float32"
    assert load_checkpoint("nano").defaults.precision == "float32"


def test_lower_precision_is_a_default_only_where_the_device_has_it() -> None:
    nano = load_checkpoint("nano")
    model = replace(nano, recommended=WeightDefaults(cue="flow", precision="bfloat16"))
    here = "bfloat16" if has_bfloat16(torch.device("cpu")) else "float32"
    assert model.defaults == WeightDefaults(cue="flow", precision=here)
    elsewhere = replace(model, network=nano.network.to("meta"))
    assert elsewhere.defaults == model.recommended
