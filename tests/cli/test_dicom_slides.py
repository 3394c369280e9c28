"""DICOM slides on the command line: what they say of the patient stays in the file; coarse ones are refused."""

import json
import sys
from pathlib import Path

import pytest
from command_runs import call

pytest.importorskip("pydicom", reason="pydicom (extra dicom) is not installed")

sys.path.insert(0, str(Path(__file__).parents[1] / "slides"))
from dicom_files import PATIENT, write_dicom
from slide_files import picture


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_info_of_a_folder_names_no_patient(tmp_path, words, capsys, caplog):
    folder = write_dicom(tmp_path / "series", picture()).parent
    assert call("info", folder, *words) == 0
    out, errors = capsys.readouterr()
    if words:
        facts = json.loads(out)
        assert (facts["format"], facts["shape"], facts["um_per_px"]) == ("dicom", [300, 420], [0.5, 0.5])
    for said in (*PATIENT.split("^"), "4711"):
        assert said not in out + errors + caplog.text


def test_a_coarse_slide_is_refused_without_force(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = data_dir / "restricted" / "whole_slide" / "pathml_small_dicom.dcm"
    assert call("info", path) == 0
    assert call("segment", path) == 1
    errors = capsys.readouterr().err
    assert "4.64 um per px" in errors
    assert "--force" in errors
