"""Engines give the same maps, from a fresh conversion and from the cache."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pathloop.core import ClassSpec, LabelSchema, ModelError, TaskSpec
from pathloop.networks import ModelCard, NetworkConfig, find_model, read_card
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import save_model
from pathloop.predict import EngineChoice, choose_engine, load_engine
from pathloop.synth import draw_colon

pytestmark = pytest.mark.slow

SIDE = 256


def one_class(name):
    return (ClassSpec(name=name, color=(1, 2, 3)),)


ALL_KINDS = LabelSchema(
    tasks=(
        TaskSpec(name="nuclei", output="instance", classes=one_class("nucleus")),
        TaskSpec(name="nuclei_type", output="type", of="nuclei", classes=(*one_class("a"), *one_class("b"))),
        TaskSpec(name="tissue", output="patch", classes=(*one_class("x"), *one_class("y"))),
    )
)


def random_model(folder, labels=ALL_KINDS, seed=3):
    """A network with random weights, whose batch norms have seen pictures so that nothing saturates."""
    torch.manual_seed(seed)
    config = NetworkConfig(patch_window=2)
    network = MultiTaskNetwork(config, labels).train()
    pixels = torch.from_numpy(draw_colon((128, 128), seed=seed).image).permute(2, 0, 1)[None] / 255
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(pixels)
    card = ModelCard(
        name="random",
        version="1",
        summary="Random.",
        architecture=config,
        labels=labels,
        um_per_px=0.5,
        margin_px=32,
    )
    save_model(folder, network, card)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def tile():
    return draw_colon((SIDE, SIDE), seed=7, outline=False).image


@pytest.fixture(scope="module")
def reference(model, tile):
    return run(model, tile, engine="torch", precision="fp32")


def run(folder, tile, *, tasks=None, **options):
    tasks = tasks or read_card(folder).labels.names
    return load_engine(folder, tasks, choose_engine("cpu", **options)).run(tile)


def test_maps_have_the_promised_shapes(reference):
    shapes = {task: (value.shape, value.dtype) for task, value in reference.items()}
    assert shapes == {
        "nuclei": ((2, SIDE, SIDE), np.uint8),
        "nuclei_type": ((1, SIDE, SIDE), np.uint8),
        "tissue": ((2, SIDE // 64, SIDE // 64), np.float32),
    }
    assert reference["nuclei"].std() > 5
    assert set(np.unique(reference["nuclei_type"])) == {0, 1, 2}
    np.testing.assert_allclose(reference["tissue"].sum(axis=0), 1, atol=1e-5)


def test_openvino_agrees_with_torch(model, tile, reference):
    found = run(model, tile, engine="openvino", precision="fp32")
    assert found.keys() == reference.keys()
    assert np.abs(found["nuclei"].astype(int) - reference["nuclei"]).max() <= 1
    assert (found["nuclei_type"] != reference["nuclei_type"]).mean() < 1e-3
    np.testing.assert_allclose(found["tissue"], reference["tissue"], atol=1e-4)


def test_the_bundled_model_agrees_too(tile):
    folder = find_model("fast")
    one = run(folder, tile, engine="torch", precision="fp32")
    other = run(folder, tile, engine="openvino", precision="fp32")
    coarse = run(folder, tile, engine="openvino", precision="bf16")
    for task in ("nuclei", "gland", "lumen"):
        assert one[task].max() > 50
        assert np.abs(other[task].astype(int) - one[task]).max() <= 2
        # a bfloat16 has 8 significant bits: on average less than 2 of 255 steps
        assert np.abs(coarse[task].astype(int) - one[task]).mean() < 2


def test_torch_in_bf16_is_close_on_average(tile):
    folder = find_model("fast")
    one = run(folder, tile, engine="torch", precision="fp32", tasks=("nuclei", "tissue"))
    coarse = run(folder, tile, engine="torch", precision="bf16", tasks=("nuclei", "tissue"))
    assert np.abs(coarse["nuclei"].astype(int) - one["nuclei"]).mean() < 2
    assert np.abs(coarse["tissue"] - one["tissue"]).mean() < 0.05


@pytest.mark.slow
def test_tasks_may_be_fewer(model, tile, reference):
    found = run(model, tile, engine="openvino", precision="fp32", tasks=("tissue", "nuclei"))
    assert list(found) == ["tissue", "nuclei"]
    assert np.abs(found["nuclei"].astype(int) - reference["nuclei"]).max() <= 1


def test_tiles_may_be_of_any_size(model, tile, reference):
    names = read_card(model).labels.names
    engine = load_engine(model, names, choose_engine("cpu", engine="openvino", precision="fp32"))
    whole, part = engine.run(tile), engine.run(tile[:128, :192])
    assert part["nuclei"].shape == (2, 128, 192)
    # what an engine has given stays as it was
    assert np.abs(whole["nuclei"].astype(int) - reference["nuclei"]).max() <= 1


@pytest.mark.parametrize("name", ["model.bin", pytest.param("model.xml", marks=pytest.mark.slow)])
def test_the_cache_is_used_mended_and_exact(tmp_path, monkeypatch, model, tile, name):
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path / "cache"))
    first = run(model, tile, engine="openvino", precision="fp32")
    (kept,) = (tmp_path / "cache").iterdir()
    written = {path.name: path.read_bytes() for path in kept.iterdir()}

    def refuse(*_):
        raise AssertionError("converted although it is cached")

    with monkeypatch.context() as patch:
        patch.setattr("pathloop.networks.weights.traceable", refuse)
        again = run(model, tile, engine="openvino", precision="fp32")
    for task, values in first.items():
        np.testing.assert_array_equal(again[task], values)
    middle = len(written[name]) // 2
    (kept / name).write_bytes(written[name][:middle] + b"\1" + written[name][middle + 1 :])
    mended = run(model, tile, engine="openvino", precision="fp32")
    np.testing.assert_array_equal(mended["nuclei"], first["nuclei"])
    assert {path.name for path in kept.iterdir()} == set(written)
    assert (kept / "model.bin").read_bytes() == written["model.bin"]
    assert list((tmp_path / "cache").iterdir()) == [kept]


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_does_not_hinder(tmp_path, monkeypatch, model, tile, reference):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path / "file"))
    found = run(model, tile, engine="openvino", precision="fp32")
    assert np.abs(found["nuclei"].astype(int) - reference["nuclei"]).max() <= 1


def test_a_cached_model_loads_without_torch(model, tile):
    run(model, tile[:64, :64], engine="openvino")
    code = (
        "import sys, pathlib, numpy as np\n"
        "from pathloop.predict import choose_engine, load_engine\n"
        f"engine = load_engine(pathlib.Path({str(model)!r}), ('nuclei', 'nuclei_type', 'tissue'),"
        " choose_engine('cpu'))\n"
        "engine.run(np.zeros((64, 64, 3), np.uint8))\n"
        "assert 'openvino' in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_that_fit_no_network_name_the_file(tmp_path, model):
    folder = shutil.copytree(model, tmp_path / "m")
    card = read_card(folder)
    other = card.model_copy(update={"architecture": NetworkConfig(encoder="resnet34")})
    (folder / "model.json").write_text(other.model_dump_json())
    for engine in ("torch", "openvino"):
        with pytest.raises(ModelError, match=r"weights\.safetensors: does not fit its card"):
            load_engine(Path(folder), ("nuclei",), EngineChoice(engine, "cpu", "fp32", "asked for"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_signals_are_heard_after_another_thread_let_an_engine_go():
    # OpenVINO's plugin takes the stack along on which Python's handlers run, if it is unloaded
    code = """
import gc, signal, threading
from pathloop.networks import find_model
from pathloop.predict import EngineChoice, load_engine
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
engines = [load_engine(find_model("fast"), ("gland",), EngineChoice("openvino", "cpu", "fp32", "asked for"))]
signal.raise_signal(signal.SIGUSR1)
thread = threading.Thread(target=lambda: (engines.clear(), gc.collect()))
thread.start()
thread.join()
signal.raise_signal(signal.SIGUSR1)
assert heard == [1, 1]
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
