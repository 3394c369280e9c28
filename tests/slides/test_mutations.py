"""Fifty damaged copies of drawn slides are read or refused; `benchmarks/mutations.py` takes 500, of real ones too."""

import sys
from pathlib import Path

import pytest
from slide_files import picture, write_image

pytest.importorskip("pydicom", reason="pydicom (extra dicom) is not installed")

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import mutations

pytestmark = pytest.mark.slow


def test_damaged_slides_are_read_or_refused(tmp_path: Path) -> None:
    slides = mutations.drawn_slides(tmp_path)
    found = list(mutations.outcomes(slides, 50, seed=2, limit_s=30))
    assert len(found) == 50
    assert {slide for slide, *_ in found} == set(slides)
    assert [each for each in found if each[2] in mutations.BAD] == []
    assert any(outcome == "refused" for _, _, outcome, _ in found)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import time; time.sleep(60)", "hang"), ("import os; os.abort()", "crash"), ("raise KeyError('x')", "error")],
)
def test_what_is_looked_for_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str) -> None:
    """A reader that misbehaves is told apart, and the next slide is read."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\n"
        "if '--serve' in sys.argv:\n"
        "    import pathloop.slides as slides\n"
        "    usual = slides.open_slide\n"
        "    def open_slide(path, **options):\n"
        "        if path.name == 'bad.png':\n"
        f"            {code}\n"
        "        return usual(path, **options)\n"
        "    slides.open_slide = open_slide\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=mutations.os.pathsep)
    good, bad = (write_image(tmp_path / name, picture(80, 90)) for name in ("good.png", "bad.png"))
    reader = mutations.Reader(limit_s=20 if expected != "hang" else 6)
    try:
        assert [reader.read(path)["outcome"] for path in (good, bad, good)] == ["read", expected, "read"]
    finally:
        reader.close()
