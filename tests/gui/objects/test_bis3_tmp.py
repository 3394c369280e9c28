import pytest
from qtpy.QtWidgets import QWidget, QScrollArea, QVBoxLayout, QTableView, QTabWidget, QSplitter
from pathloop.gui.widgets import objects_panel
from pathloop.gui.widgets.objects_panel import *
from pathloop.gui.widgets.objects_panel import ObjectTable, ObjectCard, ObjectFilters, Panel, QCollapsible
@pytest.mark.parametrize('kind', ['table','card','filters','panel','coll','panelguard','dest'])
def test_w(kind, make_napari_viewer, qtbot, session_of):
    if kind=='panelguard':
        w=Panel('x'); w.guard(session_of())
    elif kind=='dest':
        w=QWidget(); ends=[lambda: None]
        from functools import partial
        w.destroyed.connect(partial(objects_panel._call_all, ends))
    elif kind=='panel': w=Panel('x')
    elif kind=='coll':
        w=QCollapsible('x'); w.addWidget(QWidget())
    else: w={'table':ObjectTable,'card':ObjectCard,'filters':ObjectFilters}[kind]()
    v=make_napari_viewer(show=True); v.window.add_dock_widget(w,name='x'); qtbot.wait(50)
