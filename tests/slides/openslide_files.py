"""The smallest files that OpenSlide takes for Hamamatsu, 3DHISTECH, Sakura and Ventana slides, for the tests.

Written after the descriptions at https://openslide.org/formats/.
"""

import sqlite3
import struct
from pathlib import Path

import cv2
import numpy as np
import tifffile
from slide_files import Picture, halves, write_image

BLOCK_PX = 16  # width of a JPEG block where colour is subsampled across
SLIDE_ID = "0123456789ABCDEF0123456789ABCDEF"
SHORT, LONG, RATIONAL, SLONG, FLOAT = 3, 4, 5, 9, 11


def jpeg(image: Picture, *, restart: int = 0) -> bytes:
    """A JPEG; with a restart marker after every ``restart`` blocks."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    ok, data = cv2.imencode(".jpg", image[..., ::-1] if image.ndim == 3 else image, options)
    assert ok
    return data.tobytes()


def write_ndpi(path: Path, image: Picture, *, levels: int = 2, um_per_px: float = 0.5) -> Path:
    """NDPI: a directory a level with one JPEG, and a macro; offsets of directories have 8 bytes."""
    data = bytearray(b"II*\0" + bytes(8))
    link = 4
    pictures = [*((level, 20 / 2**index) for index, level in enumerate(halves(image, levels))), (image[::8, ::8], -1.0)]
    for index, (level, lens) in enumerate(pictures):
        height, width = level.shape[:2]
        coded = jpeg(level, restart=width // BLOCK_PX if width % BLOCK_PX == 0 else 0)
        at = len(data)
        data += coded
        bits, resolution = len(data), len(data) + 6
        data += struct.pack("<3H", 8, 8, 8) + struct.pack("<2I", round(10_000 / um_per_px / 2**index), 1)
        tags = [
            (256, LONG, 1, width),
            (257, LONG, 1, height),
            (258, SHORT, 3, bits),
            (259, SHORT, 1, 7),
            (262, SHORT, 1, 6),
            (273, LONG, 1, at),
            (277, SHORT, 1, 3),
            (278, LONG, 1, height),
            (279, LONG, 1, len(coded)),
            (282, RATIONAL, 1, resolution),
            (283, RATIONAL, 1, resolution),
            (296, SHORT, 1, 3),
            (65420, LONG, 1, 1),
            (65421, FLOAT, 1, struct.unpack("<I", struct.pack("<f", lens))[0]),
            (65422, SLONG, 1, 0),
            (65423, SLONG, 1, 0),
            (65424, SLONG, 1, 0),
        ]
        struct.pack_into("<Q", data, link, len(data))
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        link = len(data)
        data += bytes(8 + 4 * len(tags))
    path.write_bytes(data)
    return path


def write_vms(path: Path, image: Picture, *, um_per_px: float = 0.5) -> Path:
    """VMS: two JPEGs side by side, a map of a quarter of the size, and a macro."""
    height, width = image.shape[:2]
    assert height % BLOCK_PX == 0
    assert width % (2 * BLOCK_PX) == 0
    half = width // 2
    names = [f"{path.stem}-{name}.jpg" for name in ("left", "right", "map", "macro")]
    small = halves(image, 2)[2]
    for name, part in zip(names, (image[:, :half], image[:, half:], small, image[::8, ::8]), strict=True):
        (path.parent / name).write_bytes(jpeg(np.ascontiguousarray(part), restart=part.shape[1] // BLOCK_PX))
    path.write_text(
        "[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=2\nNoJpegRows=1\n"
        f"ImageFile={names[0]}\nImageFile(1,0)={names[1]}\nMapFile={names[2]}\nMacroImage={names[3]}\n"
        f"PhysicalWidth={round(width * um_per_px * 1000)}\nPhysicalHeight={round(height * um_per_px * 1000)}\n"
        "SourceLens=20\n"
    )
    return path


def write_vmu(path: Path, image: Picture, *, um_per_px: float = 0.5) -> Path:
    """VMU: 12 bits a sample in columns of 64 px, a map of a quarter of the size, and a macro."""
    height, width = image.shape[:2]
    small = halves(image, 2)[2]
    _write_ngr(path.with_name(f"{path.stem}-all.ngr"), image, column=64)
    _write_ngr(path.with_name(f"{path.stem}-map.ngr"), small, column=small.shape[1])
    write_image(path.with_name(f"{path.stem}-macro.jpg"), np.ascontiguousarray(image[::8, ::8]))
    path.write_text(
        "[Uncompressed Virtual Microscope Specimen]\nNoLayers=1\nBitsPerPixel=36\nPixelOrder=RGB\nSourceLens=20\n"
        f"ImageFile={path.stem}-all.ngr\nMapFile={path.stem}-map.ngr\nMacroImage={path.stem}-macro.jpg\n"
        f"PixelWidth={width}\nPixelHeight={height}\nMapScale=4\n"
        f"PhysicalWidth={round(width * um_per_px * 1000)}\nPhysicalHeight={round(height * um_per_px * 1000)}\n"
    )
    return path


def _write_ngr(path: Path, image: Picture, *, column: int) -> None:
    height, width = image.shape[:2]
    assert width % column == 0
    head = b"GN\0\0" + struct.pack("<6I", width, height, column, 0, 0, 64)
    columns = [image[:, x : x + column].astype("<u2") << 4 for x in range(0, width, column)]
    path.write_bytes(head.ljust(64, b"\0") + b"".join(part.tobytes() for part in columns))


def write_svslide(path: Path, image: Picture, *, levels: int = 2, um_per_px: float = 0.5, tile: int = 64) -> Path:
    """SVSLIDE: an SQLite database with a grey JPEG for each colour of each tile, a label and a macro."""
    height, width = image.shape[:2]
    rows: list[tuple[str, bytes]] = [("++MagicBytes", b"SVGigaPixelImage"), ("++VersionBytes", b"1.0.0")]
    header = struct.pack("<7IH6I", tile, width, height, 8, 1, 3, 1, 256, 1, 2, 3, 4, 5, 6)
    rows.append(("Header", header))
    for index, level in enumerate(halves(image, levels)):
        down, right = (-size % tile for size in level.shape[:2])
        padded = np.pad(level, ((0, down), (0, right), (0, 0)), mode="edge")
        for y in range(0, padded.shape[0], tile):
            for x in range(0, padded.shape[1], tile):
                for channel in range(3):
                    part = np.ascontiguousarray(padded[y : y + tile, x : x + tile, channel])
                    rows.append((f"T;{x << index}|{y << index};{1 << index};{channel};0", jpeg(part)))
    small = jpeg(np.ascontiguousarray(image[::8, ::8]))
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE DataManagerSQLiteConfigXPO (TableName TEXT);"
            "INSERT INTO DataManagerSQLiteConfigXPO VALUES ('unique_table');"
            "CREATE TABLE unique_table (id TEXT PRIMARY KEY, size INTEGER, data BLOB);"
            "CREATE TABLE SVSlideDataXPO (OID INTEGER PRIMARY KEY, m_labelScan INTEGER, m_overviewScan INTEGER,"
            " SlideId TEXT, Date TEXT, Description TEXT, Creator TEXT, DiagnosisCode TEXT, HRScanCount INTEGER,"
            " Keywords TEXT, TotalDataSizeBytes INTEGER);"
            "INSERT INTO SVSlideDataXPO VALUES (1, 1, 2, 'u', 'd', '', '', '0', 1, '', 0);"
            "CREATE TABLE SVHRScanDataXPO (OID INTEGER PRIMARY KEY, ParentSlide INTEGER, ScanId TEXT, Date TEXT,"
            " Description TEXT, Name TEXT, PosOnSlideMm BLOB, ResolutionMmPerPix REAL, NominalLensMagnification REAL,"
            " ThumbnailImage BLOB, TotalDataSizeBytes INTEGER, FocussingMethod INTEGER, FocusStack BLOB);"
            "CREATE TABLE SVScannedImageDataXPO (OID INTEGER PRIMARY KEY, Id TEXT, PosOnSlideMm BLOB,"
            " ScanCenterPosMm BLOB, ResolutionMmPerPix REAL, Image BLOB, ThumbnailImage BLOB);"
        )
        database.executemany(
            "INSERT INTO unique_table VALUES (?, ?, ?)", [(key, len(data), data) for key, data in rows]
        )
        database.execute(
            "INSERT INTO unique_table VALUES ('TOTAL_SIZE', ?, '')", (sum(len(row[1]) for row in rows[2:]),)
        )
        database.execute(
            "INSERT INTO SVHRScanDataXPO VALUES (1, 1, 'u', 'd', '', '', ?, ?, 20, ?, 0, 1, ?)",
            (bytes(16), um_per_px / 1000, small, bytes(8)),
        )
        for key in (1, 2):
            database.execute(
                "INSERT INTO SVScannedImageDataXPO VALUES (?, 'u', ?, ?, 0.05, ?, ?)",
                (key, bytes(16), bytes(16), small, small),
            )
    database.close()
    return path


def write_bif(path: Path, image: Picture, *, levels: int = 2, um_per_px: float = 0.5, tile: int = 64) -> Path:
    """BIF: a BigTIFF whose one scanned area begins at (0, 0), its tiles joined without overlap; a macro."""
    height, width = (size // tile * tile for size in image.shape[:2])
    image = np.ascontiguousarray(image[:height, :width])
    rows, columns = height // tile, width // tile

    def number(row: int, column: int) -> int:
        # camera tiles are numbered from the bottom, back and forth
        up = rows - 1 - row
        return up * columns + (column if up % 2 == 0 else columns - 1 - column) + 1

    joints = [
        f'<TileJointInfo FlagJoined="1" Confidence="99" Direction="{direction}" Tile1="{number(row, column)}"'
        f' Tile2="{number(row - down, column + right)}" OverlapX="0" OverlapY="0"/>'
        for row in range(rows)
        for column in range(columns)
        for direction, right, down in (("RIGHT", 1, 0), ("UP", 0, 1))
        if column + right < columns and row - down >= 0
    ]
    scan = f'<iScan ScanRes="{um_per_px}" Magnification="20" UnitNumber="1"/>'
    area = (
        f'<EncodeInfo Ver="2"><SlideStitchInfo><ImageInfo AOIScanned="1" AOIIndex="0" NumRows="{rows}"'
        f' NumCols="{columns}" Width="{tile}" Height="{tile}" Pos-X="0" Pos-Y="0">{"".join(joints)}</ImageInfo>'
        '</SlideStitchInfo><AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
    )

    def xmp(text: str) -> list[tuple[int, str, int, bytes, bool]]:
        return [(700, "B", len(text) + 1, text.encode() + b"\0", True)]

    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        small = np.ascontiguousarray(image[::8, ::8])
        label = f"<Metadata>{scan}</Metadata>"
        writer.write(small, photometric="rgb", description="Label_Image", metadata=None, extratags=xmp(label))
        for index, level in enumerate(halves(image, levels)):
            writer.write(
                level,
                tile=(tile, tile),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 95},
                description=f"level={index} mag={20 / 2**index:g} quality=95",
                metadata=None,
                extratags=xmp(area) if index == 0 else (),
            )
    return path


def write_mirax(path: Path, image: Picture, *, levels: int = 2, um_per_px: float = 0.5, empty: int = 2) -> Path:
    """MIRAX: one photo an image of 64 px, without overlap, inside ``empty`` images of nothing on each side."""
    side = 64
    height, width = (size // side for size in image.shape[:2])
    rows, columns = height + 2 * empty, width + 2 * empty
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(b"")
    data = bytearray(b"01.02" + SLIDE_ID.encode() + b"000" + bytes(256))
    hierarchy: list[list[tuple[int, int, int, int]]] = []
    whole = np.full((rows * side, columns * side, 3), 255, np.uint8)
    whole[empty * side : (empty + height) * side, empty * side : (empty + width) * side] = image[
        : height * side, : width * side
    ]
    for level in range(levels + 1):
        step, items = 1 << level, []
        reduced = halves(whole, level)[level]
        for row in range(0, rows, step):
            for column in range(0, columns, step):
                if row + step <= empty or row >= empty + height or column + step <= empty or column >= empty + width:
                    continue
                y, x = row // step * side, column // step * side
                part = np.full((side, side, 3), 255, np.uint8)
                found = reduced[y : y + side, x : x + side]
                part[: found.shape[0], : found.shape[1]] = found
                coded = jpeg(part)
                items.append((row * columns + column, len(data), len(coded), 0))
                data += coded
        hierarchy.append(items)
    index = bytearray(b"01.02" + SLIDE_ID.encode() + bytes(8))
    roots = len(index) - 8
    table = len(index)
    index += bytes(4 * (levels + 1))
    struct.pack_into("<I", index, roots, table)
    for level, items in enumerate(hierarchy):
        struct.pack_into("<I", index, table + 4 * level, len(index))
        index += struct.pack("<2I", 0, len(index) + 8)
        index += struct.pack("<2I", len(items), 0) + b"".join(struct.pack("<4I", *item) for item in items)
    struct.pack_into("<I", index, roots + 4, len(index))
    (folder / "Index.dat").write_bytes(index)
    (folder / "Data0000.dat").write_bytes(data)
    sections = [
        f"[GENERAL]\nSLIDE_VERSION=01.02\nSLIDE_ID={SLIDE_ID}\nIMAGENUMBER_X={columns}\nIMAGENUMBER_Y={rows}\n"
        "OBJECTIVE_MAGNIFICATION=20\nCameraImageDivisionsPerSide=1\nCURRENT_SLIDE_VERSION=1.9",
        f"[HIERARCHICAL]\nHIER_COUNT=1\nNONHIER_COUNT=0\nINDEXFILE=Index.dat\nHIER_0_NAME=Slide zoom level\n"
        f"HIER_0_COUNT={levels + 1}\n"
        + "\n".join(f"HIER_0_VAL_{n}=ZoomLevel_{n}\nHIER_0_VAL_{n}_SECTION=LEVEL_{n}" for n in range(levels + 1)),
        "[DATAFILE]\nFILE_COUNT=1\nFILE_0=Data0000.dat",
    ]
    sections += [
        f"[LEVEL_{n}]\nOVERLAP_X=0\nOVERLAP_Y=0\nMICROMETER_PER_PIXEL_X={um_per_px * 2**n}\n"
        f"MICROMETER_PER_PIXEL_Y={um_per_px * 2**n}\nIMAGE_FORMAT=JPEG\nIMAGE_FILL_COLOR_BGR=16777215\n"
        f"DIGITIZER_WIDTH={side}\nDIGITIZER_HEIGHT={side}\nIMAGE_CONCAT_FACTOR={int(n > 0)}"
        for n in range(levels + 1)
    ]
    # as Windows programs write it, with a byte-order mark
    (folder / "Slidedat.ini").write_text("\n".join(sections) + "\n", encoding="utf-8-sig", newline="\r\n")
    return path
