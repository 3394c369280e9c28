"""Data sets in one plain form: listing, loading, derived labels, folds."""

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import DataError, UsageError
from pathloop.interchange import (
    DATASETS,
    TISSUE_CLASSES,
    UNKNOWN_TISSUE,
    assign_folds,
    derive_lumen,
    derive_tissue,
    iter_dataset,
    list_dataset,
    load_record,
    open_lumina,
    split_touching,
)

GLASS = (240, 238, 242)
EPITHELIUM = (110, 50, 150)
MUCIN = (195, 175, 215)
STROMA = (220, 150, 190)


def write_index(path: Path, rows: list[dict[str, str]]) -> None:
    with (path / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def crypt(shape: tuple[int, int] = (160, 160)) -> tuple[np.ndarray, np.ndarray]:
    """Stroma with a round gland of radius 45 at the middle, lumen of radius 12, glass in the top left corner."""
    image = np.full((*shape, 3), STROMA, np.uint8)
    centre = (shape[1] // 2, shape[0] // 2)
    image[:32, :32] = GLASS
    cv2.circle(image, centre, 45, EPITHELIUM, -1)
    cv2.circle(image, centre, 12, GLASS, -1)
    gland = np.zeros(shape, np.uint8)
    cv2.circle(gland, centre, 45, 1, -1)
    rng = np.random.default_rng(0)
    noisy = image.astype(np.int16) + rng.integers(-6, 7, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), gland


def write_pair(path: Path, image: np.ndarray, label: np.ndarray, stem: str = "a") -> dict[str, str]:
    for folder in ("images", "labels"):
        (path / folder).mkdir(exist_ok=True)
    cv2.imwrite(str(path / "images" / f"{stem}.png"), image[..., ::-1])
    cv2.imwrite(str(path / "labels" / f"{stem}.png"), label)
    return {"image": f"images/{stem}.png", "label": f"labels/{stem}.png"}


class TestSplit:
    def test_two_discs_with_a_thin_bridge_are_two_glands_and_one_waist_is_none(self) -> None:
        mask = np.zeros((100, 200), np.uint8)
        cv2.circle(mask, (55, 50), 35, 1, -1)
        cv2.circle(mask, (145, 50), 35, 1, -1)
        cv2.rectangle(mask, (80, 46), (120, 54), 1, -1)
        labels = split_touching(mask > 0)
        assert labels.max() == 2
        assert labels[50, 55] != labels[50, 145]
        cv2.rectangle(mask, (55, 25), (145, 75), 1, -1)
        assert split_touching(mask > 0).max() == 1

    def test_a_gland_cut_by_the_edge_stays_one(self) -> None:
        mask = np.zeros((60, 120), bool)
        mask[:30] = True
        assert split_touching(mask).max() == 1

    @given(st.integers(0, 1000))
    def test_ids_are_consecutive_and_inside_the_filled_mask(self, seed: int) -> None:
        noise = np.random.default_rng(seed).random((64, 80)).astype(np.float32)
        mask = cv2.GaussianBlur(noise, (0, 0), 6) > 0.5
        labels = split_touching(mask)
        assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
        assert ((labels > 0) & ~cv2.dilate(mask.astype(np.uint8), np.ones((15, 15))).astype(bool)).sum() == 0

    def test_empty_and_full_masks(self) -> None:
        assert split_touching(np.zeros((30, 30), bool)).max() == 0
        assert (split_touching(np.ones((30, 30), bool)) == 1).all()

    def test_a_ratio_outside_0_to_1_is_refused(self) -> None:
        with pytest.raises(UsageError, match="neck_ratio"):
            split_touching(np.ones((9, 9), bool), neck_ratio=1.5)


class TestDerivedLabels:
    def test_the_clear_middle_of_a_crypt_is_its_lumen(self) -> None:
        image, gland = crypt()
        found = derive_lumen(image, gland.astype(np.int32))
        truth = np.zeros(gland.shape, np.uint8)
        cv2.circle(truth, (80, 80), 12, 1, -1)
        both = ((found.labels > 0) & (truth > 0)).sum()
        assert found.labels.max() == 1
        assert 2 * both / ((found.labels > 0).sum() + truth.sum()) > 0.85
        assert not (found.ignore & (found.labels > 0)).any()

    def test_colour_of_the_lamp_does_not_matter(self) -> None:
        image, gland = crypt()
        yellow = (image * np.array([0.85, 0.8, 0.6])).astype(np.uint8)
        first, second = (derive_lumen(i, gland.astype(np.int32)).labels > 0 for i in (image, yellow))
        assert (first != second).mean() < 0.002

    def test_pale_goblets_near_the_rim_are_no_lumen(self) -> None:
        image, gland = crypt()
        for angle in np.arange(0, 2 * np.pi, np.pi / 4):
            cv2.circle(image, (int(80 + 29 * np.cos(angle)), int(80 + 29 * np.sin(angle))), 6, MUCIN, -1)
        found = derive_lumen(image, gland.astype(np.int32))
        radius = np.hypot(*(np.indices(gland.shape) - 80))
        assert (found.labels > 0)[radius < 9].mean() > 0.9
        assert (found.labels > 0)[radius > 20].sum() == 0

    def test_a_gland_without_anything_pale_has_none(self) -> None:
        image, gland = crypt()
        cv2.circle(image, (80, 80), 14, EPITHELIUM, -1)
        found = derive_lumen(image, gland.astype(np.int32))
        assert found.labels.max() == 0
        assert found.ignore.sum() == 0

    def test_a_lumen_left_out_of_the_mask_is_reported(self) -> None:
        image, gland = crypt()
        cv2.circle(gland, (80, 80), 12, 0, -1)
        left_out = open_lumina(image, gland.astype(np.int32))
        assert left_out[80, 80]
        assert not left_out[:32, :32].any()
        assert not left_out[gland > 0].any()

    def test_tissue_of_glass_gland_and_stroma(self) -> None:
        image, gland = crypt()
        lumen = derive_lumen(image, gland.astype(np.int32)).labels
        tissue = derive_tissue(image, gland.astype(np.int32), lumen, 2)
        assert tissue[10, 10] == TISSUE_CLASSES.index("background")
        assert tissue[80, 80 + 30] == TISSUE_CLASSES.index("normal_epi")
        assert tissue[150, 150] == TISSUE_CLASSES.index("stroma_other")
        assert tissue[80, 80] == UNKNOWN_TISSUE
        assert tissue[80, 80 + 45] == UNKNOWN_TISSUE


class TestEbhiSeg:
    def folder(self, path: Path, diagnosis: str = "polyp") -> Path:
        image, gland = crypt((224, 224))
        rows = [
            {**write_pair(path, image, gland, stem), "case": case, "diagnosis": diagnosis, "um_per_px": ""}
            for stem, case in (("a", "GTXC2014129"), ("b", "GTxc2014129"), ("c", "GT2000001"))
        ]
        rows[2]["label"] = ""
        write_index(path, rows)
        return path

    def test_pixels_become_square_and_labels_are_complete(self, tmp_path: Path) -> None:
        first, second = iter_dataset("ebhi_seg", self.folder(tmp_path))
        assert first.image.shape == (224, 299, 3)
        assert {a.shape for a in first.labels.values()} == {(224, 299)}
        assert set(first.labels) == {"gland", "lumen"}
        assert first.derived == ("lumen", "tissue")
        assert first.labels["gland"].max() == first.labels["lumen"].max() == 1
        assert first.ignore is not None
        assert first.ignore["lumen"].shape == (224, 299)
        assert first.tissue is not None
        assert set(np.unique(first.tissue)) == {0, 1, 2, UNKNOWN_TISSUE}
        assert first.group == second.group == "ebhi_seg/2014129"
        assert (first.source, first.name, first.stratum) == ("ebhi_seg", "images/a", "polyp")

    def test_neoplastic_glands_are_abnormal(self, tmp_path: Path) -> None:
        first = next(iter_dataset("ebhi_seg", self.folder(tmp_path, "low_grade_in")))
        assert first.tissue is not None
        assert first.tissue[112, 149 + 40] == TISSUE_CLASSES.index("abnormal_epi")

    def test_an_unknown_diagnosis_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"index\.csv: unknown diagnosis 'cold'"):
            list_dataset("ebhi_seg", self.folder(tmp_path, "cold"))


class TestNuclei:
    def nuclei(self, diameter: int) -> tuple[np.ndarray, np.ndarray]:
        label = np.zeros((120, 160), np.uint8)
        for index, (y, x) in enumerate(((30, 30), (30, 90), (80, 50)), start=1):
            cv2.circle(label, (x, y), diameter // 2, index, -1)
        image = np.where(label[..., None] > 0, EPITHELIUM, STROMA).astype(np.uint8)
        return image, label

    def test_cpm_scale_is_the_stated_one(self, tmp_path: Path) -> None:
        row = write_pair(tmp_path, *self.nuclei(20))
        write_index(tmp_path, [{**row, "case": "TCGA-1", "organ": "lung", "um_per_px": "0.25", "nuclei": "3"}])
        (image,) = iter_dataset("cpm_sbu", tmp_path)
        assert (image.um_per_px, image.scale_range) == (0.25, (1.0, 1.0))
        assert (image.group, image.stratum, image.derived) == ("cpm_sbu/TCGA-1", "lung", ())
        assert image.labels["nuclei"].max() == 3
        assert image.ignore is None
        assert image.tissue is None

    @pytest.mark.parametrize(("diameter", "expected"), [(16, 0.45), (30, 0.25), (50, 0.2), (4, 1.0)])
    def test_dsb_scale_is_measured_on_nuclei(self, tmp_path: Path, diameter: int, expected: float) -> None:
        row = write_pair(tmp_path, *self.nuclei(diameter))
        write_index(tmp_path, [{**row, "case": "x", "stain": "HE_pink", "um_per_px": "", "nuclei": "3"}])
        (image,) = iter_dataset("dsb2018_color", tmp_path)
        assert image.um_per_px == pytest.approx(expected, rel=0.1)
        assert image.scale_range[0] < 1 < image.scale_range[1]

    def test_dsb_without_nuclei_is_refused(self, tmp_path: Path) -> None:
        image, label = self.nuclei(10)
        row = write_pair(tmp_path, image, label * 0)
        write_index(tmp_path, [{**row, "case": "x", "stain": "HE_pink"}])
        with pytest.raises(DataError, match=r"a\.png: holds no nucleus"):
            next(iter_dataset("dsb2018_color", tmp_path))


class TestFolder:
    def write(self, path: Path, name: str, array: np.ndarray) -> None:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".tif":
            tifffile.imwrite(file, array, photometric="rgb" if array.ndim == 3 else "minisblack")
        else:
            cv2.imwrite(str(file), array)

    @pytest.mark.parametrize("layout", ["labels/{t}/{s}.png", "labels/{s}_{t}.tif", "truth/{s}_{t}.tif", "{s}_{t}.png"])
    def test_layouts(self, tmp_path: Path, layout: str) -> None:
        folder = "" if layout.startswith("{s}") else "images/"
        label = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
        for stem in ("case", "case_b"):
            self.write(tmp_path, f"{folder}{stem}.tif", np.full((20, 30, 3), 200, np.uint8))
            self.write(tmp_path, layout.format(s=stem, t="nuclei"), label)
        self.write(tmp_path, layout.format(s="case", t="tissue"), np.full((20, 30), 3, np.uint8))
        if not folder:
            write_index(tmp_path, [{"image": "case.tif"}, {"image": "case_b.tif"}])
        first, second = iter_dataset("folder", tmp_path, um_per_px=0.5)
        assert np.array_equal(first.labels["nuclei"], label)
        assert set(first.labels) == set(second.labels) == {"nuclei"}
        assert first.tissue is not None
        assert (first.tissue == 3).all()
        assert second.tissue is None
        assert first.um_per_px == 0.5
        assert first.group != second.group

    def test_labels_among_images_without_an_index(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.png", np.full((20, 30, 3), 200, np.uint8))
        self.write(tmp_path, "a_gland.png", np.ones((20, 30), np.uint8))
        (image,) = iter_dataset("folder", tmp_path, um_per_px=0.5)
        assert (image.name, set(image.labels)) == ("a", {"gland"})

    def test_index_states_patient_and_scale(self, tmp_path: Path) -> None:
        for stem in ("a", "b", "unused"):
            self.write(tmp_path, f"images/{stem}.png", np.full((8, 9, 3), 200, np.uint8))
            self.write(tmp_path, f"labels/gland/{stem}.png", np.ones((8, 9), np.uint8))
        rows = [
            {"image": "images/a.png", "case": "P1", "um_per_px": "0.25", "stratum": "x"},
            {"image": "images/b.png", "case": "P1", "um_per_px": "", "stratum": ""},
        ]
        write_index(tmp_path, rows)
        first, second = iter_dataset("folder", tmp_path, um_per_px=0.5)
        assert (first.group, first.um_per_px, first.stratum) == ("P1", 0.25, "x")
        assert (second.group, second.um_per_px, second.stratum) == ("P1", 0.5, "all")

    def test_no_scale_is_an_error_that_names_the_image(self, tmp_path: Path) -> None:
        self.write(tmp_path, "images/a.png", np.zeros((8, 9, 3), np.uint8))
        self.write(tmp_path, "labels/gland/a.png", np.ones((8, 9), np.uint8))
        with pytest.raises(DataError, match=r"a\.png: no um_per_px"):
            next(iter_dataset("folder", tmp_path))

    def test_sizes_must_agree(self, tmp_path: Path) -> None:
        self.write(tmp_path, "images/a.png", np.zeros((8, 9, 3), np.uint8))
        self.write(tmp_path, "labels/gland/a.png", np.ones((8, 8), np.uint8))
        with pytest.raises(DataError, match="8 x 8, its image 8 x 9"):
            next(iter_dataset("folder", tmp_path, um_per_px=1))

    def test_two_images_of_one_stem_are_refused(self, tmp_path: Path) -> None:
        for ending in ("png", "tif"):
            self.write(tmp_path, f"images/a.{ending}", np.zeros((8, 9, 3), np.uint8))
        with pytest.raises(DataError, match="share a stem"):
            list_dataset("folder", tmp_path, um_per_px=1)


class TestWrongInput:
    def test_unknown_kind(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="known: cpm_sbu, dsb2018_color, ebhi_seg, folder, glas"):
            list_dataset("x", tmp_path)

    def test_errors_come_before_the_first_image(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no such folder"):
            iter_dataset("glas", tmp_path / "none")

    def test_missing_index_and_column_and_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"index\.csv: no such file"):
            list_dataset("glas", tmp_path)
        row = {"image": "images/a.png", "label": "labels/a.png", "case": "1", "grade": "benign"}
        write_index(tmp_path, [row])
        with pytest.raises(DataError, match="lacks the column um_per_px"):
            list_dataset("glas", tmp_path)
        write_index(tmp_path, [{**row, "um_per_px": "0.62"}])
        with pytest.raises(DataError, match=r"a\.png: no such file, though"):
            list_dataset("glas", tmp_path)

    @pytest.mark.parametrize("scale", ["-1", "nan", "half"])
    def test_a_scale_that_is_none(self, tmp_path: Path, scale: str) -> None:
        row = write_pair(tmp_path, *crypt())
        write_index(tmp_path, [{**row, "case": "1", "grade": "benign", "um_per_px": scale}])
        with pytest.raises(DataError, match="give a positive number"):
            list_dataset("glas", tmp_path)

    def test_scale_belongs_to_folders_only(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="glas has its own scale"):
            list_dataset("glas", tmp_path, um_per_px=0.5)
        with pytest.raises(UsageError, match="positive"):
            list_dataset("folder", tmp_path, um_per_px=0)

    def test_a_broken_image(self, tmp_path: Path) -> None:
        row = write_pair(tmp_path, *crypt())
        write_index(tmp_path, [{**row, "case": "1", "grade": "benign", "um_per_px": "0.62"}])
        (tmp_path / row["image"]).write_bytes(b"no image")
        with pytest.raises(DataError, match="not readable as an image"):
            next(iter_dataset("glas", tmp_path))


class TestFolds:
    @given(
        st.lists(st.tuples(st.integers(0, 12), st.sampled_from("xyz")), min_size=20, max_size=60),
        st.integers(0, 5),
        st.randoms(use_true_random=False),
    )
    def test_a_patient_has_one_fold_for_any_order(self, rows, seed, random) -> None:  # type: ignore[no-untyped-def]
        rows = [*rows, *((i, "x") for i in range(3))]
        groups, strata = [f"p{g}" for g, _ in rows], [s for _, s in rows]
        folds = assign_folds(groups, strata, seed=seed)
        random.shuffle(rows)
        again = assign_folds([f"p{g}" for g, _ in rows], [s for _, s in rows], seed=seed)
        assert folds == again
        assert set(folds) == set(groups)
        assert set(folds.values()) == {0, 1, 2}

    def test_strata_are_even_where_they_can_be(self) -> None:
        groups = [f"{s}{i // 2}" for s in "abc" for i in range(36)]
        strata = [s for s in "abc" for _ in range(36)]
        folds = assign_folds(groups, strata)
        held = Counter((folds[g], s) for g, s in zip(groups, strata, strict=True))
        assert set(held.values()) == {12}
        assert folds != assign_folds(groups, strata, seed=1)

    def test_too_few_patients_and_unequal_lengths(self) -> None:
        with pytest.raises(UsageError, match="2 patients cannot make 3 folds"):
            assign_folds(["a", "b", "b"], ["x"] * 3)
        with pytest.raises(UsageError, match="3 groups but 1 strata"):
            assign_folds(["a", "b", "c"], ["x"])


class TestRealData:
    def test_counts(self, data_dir: Path) -> None:
        known = {"open/ebhi_seg": 1786, "open/cpm_sbu": 39, "open/dsb2018_color": 90, "restricted/glas": 85}
        for place, n in known.items():
            assert len(list_dataset(Path(place).name, data_dir / place)) == n
        assert set(DATASETS) == {Path(place).name for place in known} | {"folder", "pathloop_set"}

    def test_folds_of_all_open_sets_are_even(self, data_dir: Path) -> None:
        records = [r for k in ("ebhi_seg", "cpm_sbu", "dsb2018_color") for r in list_dataset(k, data_dir / "open" / k)]
        strata = [f"{r.kind}/{r.stratum}" for r in records]
        folds = assign_folds([r.group for r in records], strata)
        held = Counter((s, folds[r.group]) for r, s in zip(records, strata, strict=True))
        for stratum, n in Counter(strata).items():
            for fold in range(3):
                assert held[stratum, fold] == pytest.approx(n / 3, rel=0.25, abs=2), stratum

    @pytest.mark.parametrize("kind", ["ebhi_seg", "cpm_sbu", "dsb2018_color", "glas"])
    def test_a_sample_loads_in_plain_form(self, data_dir: Path, kind: str) -> None:
        folder = data_dir / ("restricted" if kind == "glas" else "open") / kind
        for record in list_dataset(kind, folder)[:: 300 if kind == "ebhi_seg" else 20]:
            item = load_record(record)
            shape = item.image.shape[:2]
            assert item.image.dtype == np.uint8
            assert 0.1 < item.um_per_px < 2
            for task, label in item.labels.items():
                assert label.shape == shape
                assert label.dtype == np.int32
                assert label.max() > 0 or task == "lumen"
            if kind == "ebhi_seg":
                assert item.ignore is not None
                assert not ((item.labels["lumen"] > 0) & (item.labels["gland"] == 0)).any()
                assert not (item.ignore["lumen"] & (item.labels["lumen"] > 0)).any()

    def test_crypts_are_as_tall_as_wide_once_pixels_are_square(self, data_dir: Path) -> None:
        """The squeeze of the published squares is undone: polyps' crypts have no favoured direction."""
        ratios = []
        for record in [r for r in list_dataset("ebhi_seg", data_dir / "open/ebhi_seg") if r.stratum == "polyp"][::20]:
            labels = load_record(record).labels["gland"]
            edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
            for index in np.setdiff1d(np.unique(labels), [0, *edge]):
                y, x = np.nonzero(labels == index)
                ratios.append(np.log(y.std() / x.std()))
        assert len(ratios) > 30
        assert abs(np.mean(ratios)) < 0.1
