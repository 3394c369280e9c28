"""A killed or stopped command goes on where it was, and the exports are those of an undisturbed run."""

import shutil
import signal
import sys

import pytest
from command_runs import SMALL, call, events_until, files_of, start, started

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them"), pytest.mark.slow]

N_TILES = 6
FORMATS = ("labels-tiff", "geojson", "csv")


@pytest.fixture(scope="module")
def undisturbed(slide, empty, tmp_path_factory):
    """Exports by format."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = shutil.copytree(empty, folder / "p")
    assert call("segment", slide, "-o", project, *SMALL) == 0
    return exports(project, folder)


def exports(project, folder):
    for name in FORMATS:
        assert call("export", project, "--format", name, "-o", folder / name, "--with-tissue") == 0
    return {name: files_of(folder / name) for name in FORMATS}


def tile_after(count):
    return lambda event: event["kind"] == "tile_done" and event["n_done"] >= count


def stage(name):
    return lambda event: event.get("stage") == name


def kill_when(wanted, *words):
    with started("segment", *words, *SMALL, "--json") as process:
        found = events_until(process, wanted)
        process.kill()
        process.wait()
    return found


def recorded_tiles(project):
    return {path.name for path in project.glob("runs/*/tile_*.npz")}


def test_kills_do_not_change_the_exports(slide, empty, undisturbed, tmp_path):
    project = shutil.copytree(empty, tmp_path / "p")
    words = (slide, "-o", project)
    kill_when(tile_after(2), *words)
    before = recorded_tiles(project)
    assert 2 <= len(before) < N_TILES
    # tiles that are recorded do not run again
    second = kill_when(stage("joining gland"), *words)
    assert second[0]["n_done"] == len(before)
    assert second[0]["n_tiles"] == N_TILES
    ran = {f"tile_{event['row']}_{event['col']}.npz" for event in second if event["kind"] == "tile_done"}
    assert ran.isdisjoint(before)
    assert len(ran | before) == N_TILES
    third = kill_when(stage("writing gland"), *words)
    assert not [event for event in third if event["kind"] == "tile_done"]
    # nuclei are in since the second time
    assert "writing nuclei" not in [event.get("stage") for event in third]
    with start("segment", *words, *SMALL) as last:
        out, errors = last.communicate()
    assert last.returncode == 0, errors
    assert out.splitlines()[-1].endswith(f"in {project}")
    assert exports(project, tmp_path) == undisturbed
    assert not recorded_tiles(project)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("place", ["tile", pytest.param("stage", marks=pytest.mark.slow)])
def test_ctrl_c_stops_in_one_line(slide, empty, undisturbed, tmp_path, place):
    project = shutil.copytree(empty, tmp_path / "p")
    words = ("segment", slide, "-o", project, *SMALL)
    with started(*words, "--json") as process:
        events_until(process, tile_after(2) if place == "tile" else stage("joining nuclei"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "pathloop: stopped; run the same command again to go on\n")
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    done = len(recorded_tiles(project))
    assert done >= 2
    with started(*words, "--json") as process:
        resumed = events_until(process, lambda event: False)
    assert resumed[0]["n_done"] == done
    assert sum(event["kind"] == "tile_done" for event in resumed) == N_TILES - done
    assert exports(project, tmp_path) == undisturbed


def test_a_locked_project_names_its_holder(slide, empty, undisturbed, tmp_path, capfd):
    project = shutil.copytree(empty, tmp_path / "p")
    with started("segment", slide, "-o", project, *SMALL, "--json") as holder:
        events_until(holder, tile_after(1))
        holder.send_signal(signal.SIGSTOP)
        assert call("segment", slide, "-o", project, *SMALL) == 1
        errors = capfd.readouterr().err
        assert errors.startswith(f"pathloop: {project}: is being written by pathloop segment (process {holder.pid} on ")
        assert errors.count("\n") == 1
        # readers need no lock, but there is nothing yet
        assert call("export", project, "--format", "csv", "-o", tmp_path / "out") == 1
        assert "nothing was segmented yet" in capfd.readouterr().err
        holder.send_signal(signal.SIGCONT)
        events_until(holder, lambda event: False)
    assert exports(project, tmp_path) == undisturbed
