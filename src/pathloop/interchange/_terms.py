"""Licences and attributions of the public data sets that the adapters read, as their sources state them."""

from dataclasses import dataclass

__all__ = ["DatasetTerms", "dataset_terms"]


@dataclass(frozen=True, slots=True)
class DatasetTerms:
    """What a model card must say about a data set.

    Parameters
    ----------
    licence, attribution
        As the source states them.
    may_ship
        Whether weights trained on it may be distributed under an open licence.
    note
        What was derived or assumed.
    """

    licence: str
    attribution: str
    may_ship: bool
    note: str = ""


_TERMS = {
    "ebhi_seg": DatasetTerms(
        licence="CC BY 4.0",
        attribution="Shi et al. 2023, EBHI-Seg, Frontiers in Medicine 10, 1114673",
        may_ship=True,
        note="Scale estimated; touching glands split, lumina and tissue classes derived inside the gland masks.",
    ),
    "cpm_sbu": DatasetTerms(
        licence="BSD-3-Clause",
        attribution="Copyright (c) 2019 Department of Biomedical Informatics, Stony Brook: quip_cnn_segmentation",
        may_ship=True,
        note="TCGA tiles of glioma, head and neck, lung; none of them colon.",
    ),
    "dsb2018_color": DatasetTerms(
        licence="CC0 1.0",
        attribution="2018 Data Science Bowl (BBBC038) with the corrections of dsbowl-2018-dataset-fixes",
        may_ship=True,
        note="Scale estimated from the size of the nuclei; mostly haematoxylin-only stain.",
    ),
    "glas": DatasetTerms(
        licence="Research purposes only",
        attribution="Sirinukunwattana et al. 2017, Medical Image Analysis 35, 489-502",
        may_ship=False,
    ),
}


def dataset_terms(kind: str) -> DatasetTerms:
    """The terms of a data set by the kind of its adapter; a user's own folder states none."""
    unstated = DatasetTerms(licence="unstated", attribution="own data", may_ship=False)
    return _TERMS.get(kind, unstated)
