"""Damaged copies of slides: each is read, or refused in one clear line; none hangs, crashes or raises anything else.

    python benchmarks/mutations.py [SLIDE ...] [--copies 500] [--seed 1] [--keep FOLDER]

Slides are files or folders (OME-Zarr, a DICOM series: one file of it is damaged). Without any, the whole slides of the
folder $PATHLOOP_DATA (default ../shared/data) and drawn ones of the tests are taken. Every copy is cut off, or gets
random bytes, a block of zeros, flipped bits or absurd numbers in its header or IFDs, or two blocks swapped. A process
with 60 s a copy and 4 GiB of memory on top of its own opens it and reads levels and associated images. A row a slide:

    equal       the pixels of the undamaged slide
    refused     a SlideError, one line that names the slide
    other       other pixels: most formats have no checksums
    hang, crash, error    what must not be: these copies are kept where --keep says, and the exit code is 1
"""

import argparse
import collections
import hashlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import tifffile

OUTCOMES = ("equal", "refused", "other", "hang", "crash", "error")
BAD = ("hang", "crash", "error")
LIMIT_S = 60
MEMORY = 4 << 30
WHOLE_PX = 32_000_000
TILE_PX = 512
HEADER = 4096
WORDS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


# damage


def truncate(data, rng, _):
    """Cut off anywhere, or a few bytes from the end."""
    del data[rng.randrange(len(data)) if rng.random() < 0.7 else max(0, len(data) - rng.randint(1, 64)) :]


def random_bytes(data, rng, _):
    """Up to 64 bytes anywhere."""
    for _ in range(rng.randint(1, 64)):
        data[rng.randrange(len(data))] = rng.randrange(256)


def zeros(data, rng, _):
    """A block of up to a quarter of the file."""
    length = rng.randint(1, max(1, len(data) // 4))
    start = rng.randrange(max(1, len(data) - length))
    data[start : start + length] = bytes(len(data[start : start + length]))


def flip_bits(data, rng, heads):
    """Up to 8 bits of the file's head or an IFD."""
    for _ in range(rng.randint(1, 8)):
        data[_within(data, rng, heads)] ^= 1 << rng.randrange(8)


def absurd_numbers(data, rng, heads):
    """Up to 4 numbers of the file's head or an IFD."""
    for _ in range(rng.randint(1, 4)):
        start = _within(data, rng, heads) // 2 * 2
        word = rng.choice(WORDS).to_bytes(4, "little")
        data[start : start + 4] = word[: len(data[start : start + 4])]


def swap_blocks(data, rng, _):
    """Two blocks of equal length change places."""
    length = rng.randint(1, max(1, len(data) // 8))
    one, two = (rng.randrange(max(1, len(data) - length)) for _ in range(2))
    first, second = data[one : one + length], data[two : two + length]
    data[one : one + len(second)], data[two : two + len(first)] = second, first


DAMAGES = (truncate, random_bytes, zeros, flip_bits, absurd_numbers, swap_blocks)


def _within(data, rng, heads):
    start, length = rng.choice(heads)
    return min(start + rng.randrange(length), len(data) - 1)


def heads_of(path):
    """(start, length) of the file's head and, of a TIFF, its IFDs."""
    found = [(0, min(HEADER, path.stat().st_size))]
    try:
        with tifffile.TiffFile(path) as tiff:
            found += [(page.offset, 2 + 12 * len(page.tags)) for page in tiff.pages]
    except Exception:  # noqa: BLE001 - no TIFF, or a folder's file that has its name only
        return found
    return found


def companions(slide):
    """What belongs to a slide and lies beside it."""
    if slide.suffix == ".mrxs":
        return [slide.with_suffix("")]
    return sorted(slide.parent.glob(f"{slide.stem}-*")) if slide.suffix in (".vms", ".vmu") else []


def damaged_copy(slide, folder, index, seed):
    """Write a copy into a folder; the path of the copy and a word on what was done."""
    rng = random.Random(f"{seed} {slide.name} {index}")
    copy = folder / slide.name
    for path in (slide, *companions(slide)):
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copyfile(path, folder / path.name)
    file = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size))
    heads, data = heads_of(file), bytearray(file.read_bytes())
    damage = DAMAGES[index % len(DAMAGES)]
    damage(data, rng, heads)
    file.write_bytes(data)
    return copy, f"{damage.__name__} of {file.name}"


# reading, in a process of its own


def serve():
    """Read the slides whose paths come in, a line each, and answer with a line of JSON."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nobody's printing gets between the answers
    for line in sys.stdin:
        answers.write(json.dumps(read(Path(line.rstrip("\n")))) + "\n")
        answers.flush()


def read(path):
    """The outcome, and a digest of all pixels or a message."""
    from pathloop.core import SlideError
    from pathloop.slides import open_slide

    try:
        with open_slide(path) as slide:
            return {"outcome": "read", "text": digest(slide)}
    except SlideError as error:
        is_clear = "\n" not in str(error) and path.name in str(error)
        return {"outcome": "refused" if is_clear else "error", "text": str(error)}
    except BaseException:  # noqa: BLE001 - this is what is looked for
        return {"outcome": "error", "text": traceback.format_exc()}


def digest(slide):
    """SHA-256 of the slide's levels (tiles, where they are large) and associated images."""
    from pathloop.core import Rect

    found = hashlib.sha256(str((slide.shape, slide.associated)).encode())
    for index, level in enumerate(slide.levels):
        height, width = level.shape
        if height * width <= WHOLE_PX:
            rects = [Rect(0, 0, height, width)]
        else:
            corners = [(y * (height // 4), x * (width // 4)) for y in range(4) for x in range(4)]
            rects = [Rect(y, x, min(TILE_PX, height - y), min(TILE_PX, width - x)) for y, x in corners]
        for rect in rects:
            found.update(str(rect).encode() + slide.read_level(index, rect).tobytes())
    for name in slide.associated:
        found.update(slide.read_associated(name).tobytes())
    return found.hexdigest()


def _limit_memory():
    try:
        import resource
    except ImportError:  # Windows
        return
    import psutil

    import pathloop.slides  # noqa: F401 - what it maps is not counted

    own = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))


class Reader:
    """The process that reads; started again after it was killed or died."""

    def __init__(self, limit_s=LIMIT_S):
        self.limit_s = limit_s
        self._process = None

    def read(self, path):
        """See `read`; the outcome may be hang or crash too."""
        if self._process is None:
            self._start()
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=self.limit_s)
        except queue.Empty:
            self.close()
            return {"outcome": "hang", "text": f"no answer within {self.limit_s} s"}
        if line:
            return json.loads(line)
        code = self._process.wait()
        self.close()
        return {"outcome": "crash", "text": f"exit code {code}"}

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process = None

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()

    @staticmethod
    def _listen(process, lines):
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
        lines.put("")


def outcomes(slides, copies, seed, *, limit_s=LIMIT_S, keep=None):
    """Yield (slide, what was done, outcome, text) of copies that are spread evenly over the slides."""
    reader = Reader(limit_s)
    try:
        whole = {slide: reader.read(slide) for slide in slides}
        for slide, answer in whole.items():
            if answer["outcome"] != "read":
                raise SystemExit(f"{slide}: cannot be read undamaged: {answer['text']}")
        for number in range(copies):
            slide, index = slides[number % len(slides)], number // len(slides)
            with tempfile.TemporaryDirectory() as folder:
                copy, done = damaged_copy(slide, Path(folder), index, seed)
                answer = reader.read(copy)
                outcome = answer["outcome"]
                if outcome == "read":
                    outcome = "equal" if answer["text"] == whole[slide]["text"] else "other"
                elif outcome in BAD and keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.move(copy, keep / f"{number}-{copy.name}")
            yield slide, f"copy {number}, {done}", outcome, answer["text"]
    finally:
        reader.close()


# the command


def drawn_slides(folder):
    """One slide of each kind that the tests write."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slides"))
    import openslide_files
    from dicom_files import write_dicom
    from slide_files import picture, write_image, write_ome, write_ome_zarr, write_pyramid, write_scn, write_svs

    folder.mkdir(parents=True, exist_ok=True)
    image, even = picture(), picture(320, 512)
    return [
        write_svs(folder / "drawn.svs", image, compression="jpeg"),
        write_ome(folder / "drawn.ome.tif", image),
        write_pyramid(folder / "drawn.tif", image, compression="jpeg"),
        write_scn(folder / "drawn.scn", image, corners=[(100, 200)], collection=(900, 1000)),
        openslide_files.write_ndpi(folder / "drawn.ndpi", even),
        openslide_files.write_vms(folder / "drawn.vms", even),
        openslide_files.write_vmu(folder / "drawn.vmu", even),
        openslide_files.write_svslide(folder / "drawn.svslide", even),
        openslide_files.write_bif(folder / "drawn.bif", even),
        openslide_files.write_mirax(folder / "drawn.mrxs", even),
        write_image(folder / "drawn.png", image),
        write_image(folder / "drawn.jpg", image),
        write_ome_zarr(folder / "drawn.ome.zarr", image, axes="cyx", um=(0.5, 0.5)),
        write_dicom(folder / "dicom_jpeg", image, kind="jpeg").parent,
        write_dicom(folder / "dicom_frames", image, kind="jpegls", sparse=True).parent,
        write_dicom(folder / "dicom_rle", image, kind="rle", levels=0).parent,
    ]


def real_slides():
    """The whole slides of the data folder."""
    data = Path(os.environ.get("PATHLOOP_DATA", Path(__file__).parents[2] / "shared" / "data"))
    found = sorted(path for part in ("open", "restricted") for path in (data / part / "whole_slide").glob("*.*"))
    if not found:
        print(f"{data}: no real slides here, only drawn ones are taken", file=sys.stderr)
    return found


def main():
    """Damage, read, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", nargs="*", type=Path)
    parser.add_argument("--copies", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    counts = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as name:
        slides = options.slides or [*real_slides(), *drawn_slides(Path(name))]
        for slide, done, outcome, text in outcomes(slides, options.copies, options.seed, keep=options.keep):
            counts[slide.name][outcome] += 1
            if outcome in BAD:
                print(f"{outcome}: {slide.name}, {done}\n{text}", flush=True)
    print(f"{'slide':34}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
    for row in (*counts, "all"):
        of_row = counts[row] if row != "all" else sum(counts.values(), collections.Counter())
        print(f"{row:34}" + "".join(f"{of_row[outcome]:9}" for outcome in OUTCOMES))
        bad = sum(of_row[outcome] for outcome in BAD)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
