"""The second reader: how far two readers agree, where they do not, and bringing their work together."""

from pathloop.loop.second_reader._compare import compare_readers
from pathloop.loop.second_reader._merge import merge_copy
from pathloop.loop.second_reader._merge_report import MergeReport
from pathloop.loop.second_reader._records import (
    Disagreement,
    MatchedPlaces,
    ObjectAgreement,
    SlideMerge,
    TissueAgreement,
)
from pathloop.loop.second_reader._report import AgreementReport
from pathloop.loop.second_reader._windows import disagreement_regions, store_disagreements

__all__ = [
    "AgreementReport",
    "Disagreement",
    "MatchedPlaces",
    "MergeReport",
    "ObjectAgreement",
    "SlideMerge",
    "TissueAgreement",
    "compare_readers",
    "disagreement_regions",
    "merge_copy",
    "store_disagreements",
]
