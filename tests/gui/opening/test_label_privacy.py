"""The window reads label and macro only when the user asks for them."""

from slide_files import picture, write_svs

from pathloop.gui.opening._slides_presenter import SlidesPresenter
from pathloop.gui.opening._thumbnail import file_thumbnail, slide_thumbnail
from pathloop.slides._tiff import TiffSlide


class View:
    """Counts what it is asked to show."""

    def __init__(self):
        self.associated = []

    def show(self, state):
        self.state = state

    def show_thumbnail(self, path, picture):
        assert picture.shape[2] == 3

    def show_associated(self, name, pictures):
        self.associated.append(sorted(pictures))


def test_read_when_asked_and_not_before(session, tmp_path, monkeypatch):
    asked, read = [], TiffSlide.read_associated
    monkeypatch.setattr(TiffSlide, "read_associated", lambda self, name: asked.append(name) or read(self, name))
    path, view = write_svs(tmp_path / "a.svs", picture()), View()
    presenter = SlidesPresenter(session, view)
    try:
        session.open_slide(path)
        session.background.flush()
        slide_thumbnail(session.current.slide, 64)
        file_thumbnail(path, 64)
        assert view.state.associated == ("label", "macro")
        assert asked == []
        assert [layer.name for layer in session.viewer.layers] == ["a"]
        presenter.show_associated()
        assert sorted(asked) == ["label", "macro"]
        assert view.associated == [["label", "macro"]]
        assert [layer.name for layer in session.viewer.layers] == ["a"]
    finally:
        presenter.close()
