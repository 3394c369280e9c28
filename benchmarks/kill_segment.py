"""kill -9 of `pathloop segment` at random moments: are the exports those of a run that nobody disturbed?

    python benchmarks/kill_segment.py [--times 20] [--side 1600] [--seed 1]

A drawn slide is segmented once undisturbed. Then the same command is started and killed after a random time, again and
again, in one project, until it has been killed so often; where it finishes between two kills, a new project begins.
In the end every project is finished and its exports are compared byte for byte. Exits with 1 if any differs.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pathloop.store import Project
from pathloop.synth import write_slide

FORMATS = ("labels-tiff", "geojson", "csv")


def command(*words):
    """The command line in a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "pathloop", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def run(*words):
    """Run to the end; exit with what it says if it fails."""
    process = command(*words)
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {errors.decode()}")


def exports(project, folder):
    """Bytes by format and name."""
    found = {}
    for name in FORMATS:
        run("export", project, "--format", name, "-o", folder / name, "--with-tissue")
        found |= {(name, path.name): path.read_bytes() for path in sorted((folder / name).iterdir())}
    return found


def main():
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--side", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide, empty = folder / "colon.tif", folder / "empty"
        write_slide(slide, (options.side, options.side), seed=3)
        Project.create(empty).close()  # copies of it share the uuid that names objects
        segment = ("segment", slide, "--tile-px", "512", "--device", "cpu", "-o")
        project = shutil.copytree(empty, folder / "undisturbed" / "p")
        began = time.monotonic()
        run(*segment, project)
        length = time.monotonic() - began
        wanted = exports(project, folder / "undisturbed")
        print(f"undisturbed: {length:.1f} s, {len(wanted)} files", flush=True)
        kills, rounds, wrong = 0, 0, 0
        while kills < options.times:
            rounds += 1
            place = folder / f"round{rounds}"
            project = shutil.copytree(empty, place / "p")
            while kills < options.times:
                process = command(*segment, project)
                try:
                    process.wait(rng.uniform(0.2, 0.9) * length)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
                    continue
                break
            run(*segment, project)
            found = exports(project, place)
            differ = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
            wrong += bool(differ)
            print(f"project {rounds}: {kills} kills so far, {len(differ)} of {len(wanted)} files differ", flush=True)
            shutil.rmtree(place)
        print(f"{kills} kills, {rounds} projects, {wrong} with other exports")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
