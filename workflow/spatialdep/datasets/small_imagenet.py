"""Small-ImageNet, built from the ILSVRC-2012 originals as Chrabaszcz et al. 2017 built theirs.

Each image is resized directly to a square, with the box filter, without a crop and without regard
to its shape. Labels are in the order of map_clsloc.txt, as in the published set. Images are
normalised with ImageNet's constants, as by the paper's authors.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatialdep.datasets import ilsvrc
from spatialdep.datasets.construction import Blueprint
from spatialdep.datasets.encoded import EncodedImage
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.normalisation import IMAGENET_MEAN, IMAGENET_STD

DECLARATION = {
    "summary": "ILSVRC-2012 downsampled to 32×32 or 64×64 from the originals that you bring",
    "options": {
        "image_size": {
            "type": "integer",
            "enum": [32, 64],
            "default": 32,
            "description": "side of the images in pixels",
        },
        "train": {
            "type": "string",
            "location": True,
            "description": "path or URL of ILSVRC2012_img_train.tar",
        },
        "validation": {
            "type": "string",
            "location": True,
            "description": "path or URL of ILSVRC2012_img_val.tar",
        },
        "devkit": {
            "type": "string",
            "default": "https://image-net.org/data/ILSVRC/2012/ILSVRC2012_devkit_t12.tar.gz",
            "location": True,
            "description": "path or URL of ILSVRC2012_devkit_t12.tar.gz",
        },
        "checksums": {
            "type": "object",
            "default": {},
            "additionalProperties": {"type": "string", "pattern": "^(md5|sha256):"},
            "propertyNames": {"enum": ["train", "validation", "devkit"]},
            "description": "md5:… or sha256:… of files that differ from the official ones",
        },
        "shards": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 20,
            "description": "how many jobs build it; the result is the same for any number",
        },
        "max_unreadable": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "how many images that cannot be used may be left out",
        },
    },
    "required": ["train", "validation"],
    "image_size": "option",
    "classes": 1000,
    "sources": ["train", "validation", "devkit"],
    "built_by": "shards",
}

_SOURCES = ("train", "validation", "devkit")


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return the three files of ILSVRC-2012."""
    return ilsvrc.ilsvrc_sources(entry, _SOURCES)


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Check that the three files belong together."""
    return ilsvrc.inspect_ilsvrc(paths)


def blueprint(entry: DatasetEntry, paths: Mapping[str, Path]) -> Blueprint:
    """Return what to build: a group is a train class by sorted wnid, or a validation image."""
    devkit = ilsvrc.read_devkit(paths["devkit"])
    labels = {wnid: label for label, wnid in enumerate(devkit.wnids)}
    return Blueprint(
        class_names=devkit.class_names,
        groups={
            "train": [
                partial(ilsvrc.class_images, paths["train"], wnid, extent, labels[wnid])
                for wnid, extent in ilsvrc.class_archives(paths["train"]).items()
            ],
            "test": [
                partial(_one, image)
                for image in ilsvrc.validation_images(paths["validation"], devkit)
            ],
        },
        image_size=entry.options["image_size"],
        max_unreadable=entry.options["max_unreadable"],
        normalisation=(IMAGENET_MEAN, IMAGENET_STD),
        other_labels={"sorted_wnid": devkit.sorted_ranks},
    )


def _one(image: EncodedImage) -> list[EncodedImage]:
    return [image]
