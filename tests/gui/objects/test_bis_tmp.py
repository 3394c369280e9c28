import gc, sys, os, pytest
from qtpy.QtWidgets import QApplication
def go(qtbot, session_of, frame_of, monkeypatch, steps):
    from pathloop.gui.widgets import objects_panel
    session = session_of(frame_of(200))
    monkeypatch.setattr(objects_panel, "session_for", lambda viewer: session)
    panel = objects_panel.ObjectsPanel(object())
    panel.resize(420, 620); panel.show(); qtbot.waitExposed(panel)
    if 'e' in steps: panel._filter_box.expand()
    if 'p' in steps: panel.tabs.setCurrentIndex(1)
    if 'c' in steps: panel.tabs.setCurrentIndex(2)
    if 'w' in steps: QApplication.processEvents()
    if 'm' in steps: panel.widget().minimumSizeHint()
    panel.close(); panel.deleteLater()
@pytest.mark.parametrize('steps', ['', 'e','p','c','pc','ep','epc','epcm','epcwm'])
def test_b(qtbot, session_of, frame_of, monkeypatch, steps):
    go(qtbot, session_of, frame_of, monkeypatch, steps)
    for _ in range(4):
        QApplication.processEvents(); gc.collect()

import os
@pytest.mark.parametrize('n', range(25))
def test_r(qtbot, session_of, frame_of, monkeypatch, n):
    go(qtbot, session_of, frame_of, monkeypatch, os.environ.get('STEPS',''))
    for _ in range(4):
        QApplication.processEvents(); gc.collect()
