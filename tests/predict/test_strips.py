"""Where memory runs out, tiles go through the torch engine in strips, and the maps stay those of whole tiles."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import ModelError
from pathloop.networks import find_model
from pathloop.networks.hardware import CopyStream
from pathloop.predict import EngineChoice
from pathloop.predict._strips import joined, strips
from pathloop.predict._torch import TorchEngine
from pathloop.synth import draw_colon

CHOICE = EngineChoice("torch", "cpu", "fp32", "asked for")


@given(
    n_steps=st.integers(1, 12),
    n=st.integers(1, 16),
    step=st.sampled_from([32, 128, 144]),
    margin=st.integers(0, 300),
)
def test_strips_put_together_are_the_tile(n_steps, n, step, margin):
    height = n_steps * step
    tile = np.arange(height * 2).reshape(height, 2)
    parts = strips(height, n, step_px=step, margin_px=margin)
    assert len(parts) <= max(n, 1)
    assert all(one.read.start % step == one.read.stop % step == 0 for one in parts)
    for one in parts:
        assert one.core.start - one.read.start >= margin or one.read.start == 0
        assert one.read.stop - one.core.stop >= margin or one.read.stop == height
    maps = [{"dense": tile[one.read][None], "cells": tile[one.read][::step][None]} for one in parts]
    whole = joined(maps, parts)
    np.testing.assert_array_equal(whole["dense"][0], tile)
    np.testing.assert_array_equal(whole["cells"][0], tile[::step])


@pytest.fixture(scope="module")
def engine_and_tile():
    return TorchEngine(find_model("fast"), ("gland", "nuclei", "tissue"), CHOICE), draw_colon(
        (768, 384), seed=7, outline=False
    ).image


@pytest.mark.slow
def test_two_threads_get_what_one_gets(engine_and_tile, monkeypatch):
    engine, tile = engine_and_tile
    monkeypatch.setattr(engine, "_one_at_a_time", False)
    tiles = [tile[:384], tile[384:], tile[200:584]] * 2
    wanted = [engine.run(one) for one in tiles]
    with ThreadPoolExecutor(2) as threads:
        for found, alone in zip(threads.map(engine.run, tiles), wanted, strict=True):
            assert all(np.array_equal(found[name], alone[name]) for name in alone)


@pytest.mark.slow
def test_two_at_once_that_do_not_fit_go_one_at_a_time_and_whole(engine_and_tile, monkeypatch):
    """As on a GPU with room for one tile."""
    engine, tile = engine_and_tile
    run, within, sizes = engine._run, [], []

    def crowded(pixels):
        within.append(1)
        sizes.append(pixels.shape[0])
        try:
            time.sleep(0.05)
            if len(within) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run(pixels)
        finally:
            within.pop()

    wanted = engine.run(tile)
    monkeypatch.setattr(engine, "_run", crowded)
    monkeypatch.setattr(engine, "_n_strips", 1)
    monkeypatch.setattr(engine, "_one_at_a_time", False)
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(engine.run, [tile] * 6):
            assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert engine._one_at_a_time
    assert set(sizes) == {tile.shape[0]}


@pytest.mark.parametrize("found", ["mps", "cuda"])
def test_copies_on_the_cpu_ask_for_no_accelerator(monkeypatch, found):
    monkeypatch.setattr(torch._utils, "_get_available_device_type", lambda: found)
    with CopyStream(torch.device("cpu")) as stream:
        there = stream.to_device(torch.arange(3))
        assert stream.to_host(there).tolist() == [0, 1, 2]


def test_no_weight_of_an_engine_is_cast_ahead(engine_and_tile):
    """Autocast keeps casts of weights that want a gradient, for all threads in common."""
    engine, _ = engine_and_tile
    assert not any(one.requires_grad for one in engine._network.parameters())


def short_of_memory(engine, monkeypatch, most_px, error=torch.OutOfMemoryError, words="CUDA out of memory"):
    run, sizes = engine._run, []

    def limited(pixels):
        sizes.append(pixels.shape[0])
        if pixels.shape[0] * pixels.shape[1] > most_px:
            raise error(words)
        return run(pixels)

    monkeypatch.setattr(engine, "_run", limited)
    monkeypatch.setattr(engine, "_n_strips", 1)
    return sizes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory"),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory"),
        (RuntimeError, "MPS backend out of memory (MPS allocated: 8 GB)"),
        (RuntimeError, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_out_of_memory_halves_and_goes_on(engine_and_tile, monkeypatch, error, words):
    engine, tile = engine_and_tile
    whole = engine.run(tile)
    sizes = short_of_memory(engine, monkeypatch, 600 * 384, error, words)
    parts = engine.run(tile)
    assert sizes == [768, 512, 512]
    assert {name: one.shape for name, one in parts.items()} == {name: one.shape for name, one in whole.items()}
    for name in ("gland", "nuclei"):
        difference = np.abs(parts[name].astype(int) - whole[name].astype(int))
        assert np.quantile(difference, 0.999) <= 8, name
        # away from the cut by more than the margin everything is the same
        assert difference[:, :128].max() <= 1, name
    np.testing.assert_array_equal(parts["tissue"].argmax(axis=0), whole["tissue"].argmax(axis=0))
    # later tiles do not try again what did not fit
    sizes.clear()
    engine.run(tile)
    assert sizes == [512, 512]


@pytest.mark.slow
def test_what_fits_in_no_parts_is_said(engine_and_tile, monkeypatch):
    engine, tile = engine_and_tile
    sizes = short_of_memory(engine, monkeypatch, 10)
    with pytest.raises(ModelError, match="does not fit into the memory of cpu, not even in strips; use a smaller"):
        engine.run(tile)
    assert len(sizes) <= 6


@pytest.mark.slow
def test_other_errors_are_not_taken_for_memory(engine_and_tile, monkeypatch):
    engine, tile = engine_and_tile

    def broken(_):
        raise RuntimeError("something else")

    monkeypatch.setattr(engine, "_run", broken)
    with pytest.raises(RuntimeError, match="something else"):
        engine.run(tile)
