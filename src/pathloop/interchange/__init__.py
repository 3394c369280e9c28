"""Labels, objects and training sets in the files of other tools."""

from pathloop.interchange._datasets import DATASETS, DatasetAdapter, iter_dataset, list_dataset, load_record
from pathloop.interchange._derived import TISSUE_CLASSES, UNKNOWN_TISSUE, derive_tissue, split_touching
from pathloop.interchange._derived_lumen import DerivedLumen, derive_lumen, open_lumina
from pathloop.interchange._folds import assign_folds
from pathloop.interchange._geojson import read_geojson, write_geojson
from pathloop.interchange._geojson_feature import GeoJSONObject
from pathloop.interchange._label_images import read_confidence, read_label_image, read_probabilities
from pathloop.interchange._labels_zarr import DESCRIBED_OBJECTS, write_labels_zarr
from pathloop.interchange._object_classes import ObjectClasses, read_object_classes
from pathloop.interchange._object_table import (
    ObjectTable,
    OutlinedObject,
    SlideIdentity,
    iter_outlines,
    object_uuid,
    outlined_objects,
)
from pathloop.interchange._pairs import FilePair, files_beside, pair_files
from pathloop.interchange._parquet import check_parquet, read_objects_parquet, write_objects_parquet
from pathloop.interchange._point_tables import PointTable, read_points
from pathloop.interchange._records import DatasetRecord, TrainingImage
from pathloop.interchange._tables import ObjectRow, object_rows, read_objects_csv, write_objects_csv
from pathloop.interchange._terms import DatasetTerms, dataset_terms
from pathloop.interchange.training import (
    TRAINING_FLAVOURS,
    SplitPlan,
    TrainingFlavour,
    TrainingOptions,
    TrainingRegion,
    TrainingTask,
    TrainingTissue,
    read_splits,
    write_training_set,
)

__all__ = [
    "DATASETS",
    "DESCRIBED_OBJECTS",
    "TISSUE_CLASSES",
    "TRAINING_FLAVOURS",
    "UNKNOWN_TISSUE",
    "DatasetAdapter",
    "DatasetRecord",
    "DatasetTerms",
    "DerivedLumen",
    "FilePair",
    "GeoJSONObject",
    "ObjectClasses",
    "ObjectRow",
    "ObjectTable",
    "OutlinedObject",
    "PointTable",
    "SlideIdentity",
    "SplitPlan",
    "TrainingFlavour",
    "TrainingImage",
    "TrainingOptions",
    "TrainingRegion",
    "TrainingTask",
    "TrainingTissue",
    "assign_folds",
    "check_parquet",
    "dataset_terms",
    "derive_lumen",
    "derive_tissue",
    "files_beside",
    "iter_dataset",
    "iter_outlines",
    "list_dataset",
    "load_record",
    "object_rows",
    "object_uuid",
    "open_lumina",
    "outlined_objects",
    "pair_files",
    "read_confidence",
    "read_geojson",
    "read_label_image",
    "read_object_classes",
    "read_objects_csv",
    "read_objects_parquet",
    "read_points",
    "read_probabilities",
    "read_splits",
    "split_touching",
    "write_geojson",
    "write_labels_zarr",
    "write_objects_csv",
    "write_objects_parquet",
    "write_training_set",
]
