"""DICOM whole slides written for the tests: a series with a file a level, after PS3.3 A.32.8."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL.ImageCms import ImageCmsProfile, createProfile
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless
from slide_files import Picture, halves

WHOLE_SLIDE = UID("1.2.840.10008.5.1.4.1.1.77.1.6")
ROOT = "1.2.826.0.1.3680043.10.999."
TILE = 64
PATIENT = "Roe^Jane"
SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "jpeg": JPEGBaseline8Bit,
    "jpeg-rgb": JPEGBaseline8Bit,
    "jpeg2000": JPEG2000Lossless,
    "jpegls": JPEGLSLossless,
    "rle": RLELossless,
}
PHOTOMETRIC = {"jpeg": "YBR_FULL_422", "jpeg2000": "YBR_RCT"}


def write_dicom(
    folder: Path,
    image: Picture,
    *,
    levels: int = 2,
    kind: str = "jpeg2000",
    sparse: bool = False,
    um_per_px: tuple[float, float] = (0.5, 0.5),
    series: str = "1",
    offsets: bool = True,
) -> Path:
    """A series: the image, ``levels`` reductions by 2, and a label; the file of the finest level is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, level in enumerate(halves(image, levels)):
        dataset = _instance(folder / f"{series}-{index}.dcm", f"{series}.{index + 1}", series)
        dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if index else "NONE"]
        _matrix(dataset, level.shape, um_per_px, factor=2**index)
        frames, corners = _frames(level)
        if sparse:
            # a white corner is not stored, the rest comes in reverse
            frames, corners = frames[:0:-1], corners[:0:-1]
            dataset.PerFrameFunctionalGroupsSequence = Sequence([_place(corner) for corner in corners])
        dataset.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
        _pixels(dataset, frames, kind, offsets=offsets)
        dataset.save_as(folder / f"{series}-{index}.dcm", enforce_file_format=True)
    label = _instance(folder / f"{series}-label.dcm", f"{series}.99", series)
    label.ImageType = ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    small = np.ascontiguousarray(image[:TILE, :TILE])
    _matrix(label, small.shape, um_per_px, factor=1)
    label.DimensionOrganizationType = "TILED_FULL"
    label.SpecimenLabelInImage = "YES"
    _pixels(label, [small], "uncompressed")
    label.save_as(folder / f"{series}-label.dcm", enforce_file_format=True)
    return folder / f"{series}-0.dcm"


def edit_dicom(path: Path, *without: str, **values: Any) -> Path:
    """Take attributes out of a file, or give them other values."""
    from pydicom import dcmread

    dataset = dcmread(path)
    for name in without:
        delattr(dataset, name)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def _instance(path: Path, number: str, series: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = UID(ROOT + number)
    meta.ImplementationClassUID = UID(ROOT + "0")
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = WHOLE_SLIDE
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = UID(ROOT + "500")
    dataset.SeriesInstanceUID = UID(ROOT + "600." + series)
    dataset.FrameOfReferenceUID = UID(ROOT + "700." + series)
    dataset.PositionReferenceIndicator = "SLIDE_CORNER"
    dataset.Modality = "SM"
    dataset.PatientName, dataset.PatientID = PATIENT, "MRN-4711"
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyDate = dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.ContentTime = "120000"
    dataset.AcquisitionDateTime = "20260101120000"
    dataset.ReferringPhysicianName = dataset.StudyID = dataset.AccessionNumber = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, int(number.rpartition(".")[2])
    dataset.Manufacturer = dataset.ManufacturerModelName = "pathloop tests"
    dataset.DeviceSerialNumber = dataset.SoftwareVersions = "1"
    dataset.ContainerIdentifier = "C1"
    dataset.IssuerOfTheContainerIdentifierSequence = Sequence()
    dataset.ContainerTypeCodeSequence = Sequence([_code("433466003", "SCT", "Microscope slide")])
    dataset.AcquisitionContextSequence = Sequence()
    dataset.SpecimenDescriptionSequence = Sequence([_specimen()])
    dataset.DimensionOrganizationSequence = Sequence([_dimension()])
    path_1 = Dataset()
    path_1.OpticalPathIdentifier = "1"
    path_1.IlluminationTypeCodeSequence = Sequence([_code("111744", "DCM", "Brightfield illumination")])
    path_1.IlluminationColorCodeSequence = Sequence([_code("414298005", "SCT", "Full Spectrum")])
    path_1.ObjectiveLensPower = 20
    path_1.ICCProfile = ImageCmsProfile(createProfile("sRGB")).tobytes()
    dataset.OpticalPathSequence = Sequence([path_1])
    dataset.NumberOfOpticalPaths = dataset.TotalPixelMatrixFocalPlanes = 1
    dataset.VolumetricProperties = "VOLUME"
    dataset.FocusMethod, dataset.ExtendedDepthOfField = "AUTO", "NO"
    dataset.SpecimenLabelInImage = dataset.BurnedInAnnotation = "NO"
    return dataset


def _matrix(dataset: Dataset, shape: tuple[int, ...], um_per_px: tuple[float, float], factor: int) -> None:
    """Size and physical scale."""
    mm = [each * factor / 1000 for each in um_per_px]
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = shape[:2]
    dataset.ImagedVolumeHeight, dataset.ImagedVolumeWidth = (
        size * each for size, each in zip(shape[:2], mm, strict=True)
    )
    dataset.ImagedVolumeDepth = 0.001
    dataset.Rows = dataset.Columns = TILE
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
    dataset.TotalPixelMatrixOriginSequence = Sequence([origin])
    measures, frame_type, optical, shared = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = mm, 0.001
    frame_type.FrameType = dataset.ImageType
    optical.OpticalPathIdentifier = "1"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([frame_type])
    shared.OpticalPathIdentificationSequence = Sequence([optical])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])


def _frames(level: Picture) -> tuple[list[Picture], list[tuple[int, int]]]:
    """Tiles in rows, the last ones repeated to full size, and their corners."""
    down, right = (-size % TILE for size in level.shape[:2])
    padded = np.pad(level, ((0, down), (0, right), (0, 0)), mode="edge")
    corners = [(y, x) for y in range(0, level.shape[0], TILE) for x in range(0, level.shape[1], TILE)]
    return [np.ascontiguousarray(padded[y : y + TILE, x : x + TILE]) for y, x in corners], corners


def _place(corner: tuple[int, int]) -> Dataset:
    place, content, groups = Dataset(), Dataset(), Dataset()
    place.RowPositionInTotalImagePixelMatrix, place.ColumnPositionInTotalImagePixelMatrix = (one + 1 for one in corner)
    place.XOffsetInSlideCoordinateSystem = place.YOffsetInSlideCoordinateSystem = 0
    place.ZOffsetInSlideCoordinateSystem = 0
    content.DimensionIndexValues = [one // TILE + 1 for one in corner]
    groups.PlanePositionSlideSequence = Sequence([place])
    groups.FrameContentSequence = Sequence([content])
    return groups


def _pixels(dataset: FileDataset, frames: list[Picture], kind: str, *, offsets: bool = True) -> None:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if kind == "rle" else SYNTAXES[kind]
    dataset.NumberOfFrames = len(frames)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration, dataset.PixelRepresentation = 3, 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PhotometricInterpretation = PHOTOMETRIC.get(kind, "RGB")
    dataset.LossyImageCompression = "01" if kind.startswith("jpeg-") or kind == "jpeg" else "00"
    if kind == "jpeg":
        dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = 5, "ISO_10918_1"
    if kind in ("uncompressed", "rle"):
        dataset.PixelData = b"".join(frame.tobytes() for frame in frames)
        dataset["PixelData"].VR = "OB"
        if kind == "rle":
            dataset.compress(RLELossless, generate_instance_uid=False)
        return
    dataset.PixelData = encapsulate([_encoded(frame, kind) for frame in frames], has_bot=offsets)
    dataset["PixelData"].VR = "OB"


def _encoded(frame: NDArray[np.uint8], kind: str) -> bytes:
    if kind == "jpeg":
        return bytes(
            imagecodecs.jpeg8_encode(frame, level=95, colorspace="RGB", outcolorspace="YCBCR", subsampling="422")
        )
    if kind == "jpeg-rgb":
        return bytes(imagecodecs.jpeg8_encode(frame, level=95, colorspace="RGB", outcolorspace="RGB"))
    if kind == "jpeg2000":
        return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, mct=True))
    return bytes(imagecodecs.jpegls_encode(frame))


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _specimen() -> Dataset:
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = "S1", UID(ROOT + "800")
    specimen.IssuerOfTheSpecimenIdentifierSequence = Sequence()
    specimen.SpecimenPreparationSequence = Sequence()
    return specimen


def _dimension() -> Dataset:
    dimension = Dataset()
    dimension.DimensionOrganizationUID = UID(ROOT + "900")
    return dimension
