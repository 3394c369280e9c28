"""File > Open Sample."""

import numpy as np

from pathloop.gui import sample_data
from pathloop.synth import sample_slide_path


def test_bundled():
    ((data, options, kind),) = sample_data.bundled_slide()
    assert kind == "image"
    assert options["metadata"]["pathloop"]["path"] == str(sample_slide_path())
    assert np.asarray(data[-1] if options["multiscale"] else data).std() > 10
    options["metadata"]["pathloop"]["slide"].close()


def test_larger_one_is_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path))
    monkeypatch.setattr(sample_data, "LARGER_PX", (96, 128))
    for _ in range(2):
        ((data, options, _),) = sample_data.larger_slide()
        assert data.shape == (96, 128, 3)
        options["metadata"]["pathloop"]["slide"].close()
        monkeypatch.setattr(sample_data, "LARGER_PX", (9, 9))


def test_in_a_window_it_is_drawn_beside_it(session, said, tmp_path, monkeypatch):
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path))
    monkeypatch.setattr(sample_data, "LARGER_PX", (96, 128))
    monkeypatch.setattr("pathloop.gui.reader._session", lambda: session)
    assert sample_data.larger_slide() == []
    session.background.flush()
    assert session.current.slide.shape == (96, 128)
    assert "Drawing" in said[0][1]
