"""Which form full-size training had best read: ranges of the archive, files, webdataset's shards.

Run it from the project's root with a folder of ImageNet originals, on a machine at rest:
``PYTHONPATH=workflow python benchmarks/full_size_reading.py --samples FOLDER``. It prints one JSON
line a figure. The files are in the page cache, so it compares what the forms cost beside the disk;
what they ask of a disk differs by nature: ranges and files are read in any order, one open file or
1.28 million; shards are read in a row and shuffled in a buffer only. ``copy_gb`` is the disk that a
form needs beside the archive, for all of ImageNet.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from small_imagenet import best, circumstances, compared, pack
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image

from spatialdep.datasets.prepared import PreparedDataset, Split, save_array, write_description
from spatialdep.datasets.records import RecordsDataset, train_transform

try:
    import webdataset
except ImportError:
    webdataset = None

Sample = tuple[Tensor, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of .JPEG originals")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--workers", type=int, default=1, help="processes of each loader")
    parser.add_argument("--images", type=int, default=2000, help="how many are read each time")
    arguments = parser.parse_args()
    files = list(islice(cycle(sorted(arguments.samples.glob("*.JPEG"))), arguments.images))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sources: dict[str, Dataset[Sample]] = {
            "ranges": ranges(files, folder),
            "files": unpacked(files, folder),
        }
        if webdataset is None:
            print("webdataset is not installed, so it is left out", file=sys.stderr)
        else:
            sources["webdataset"] = shards(files, folder)
        contenders: dict[str, Callable[[], object]] = {
            name: partial(drain, source, arguments.workers) for name, source in sources.items()
        }
        seconds = best(arguments.repeats, **contenders)
    for name in sources:
        if name != "ranges":
            rates = (len(files) / seconds[what] for what in ("ranges", name))
            title = f"reading full-size images, ranges of the archive against {name}"
            more = {"workers": arguments.workers, "copy_gb": {"ours": 0, "theirs": 147}}
            print(json.dumps({**compared(title, *rates, **more), **versions()}), flush=True)


def versions() -> dict[str, object]:
    found = circumstances()
    packages = ["torch", "torchvision", *(["webdataset"] if webdataset else [])]
    return {**found, "versions": {name: metadata.version(name) for name in packages}}


def drain(source: Dataset[Sample], workers: int) -> int:
    """Read an epoch in batches, shuffled."""
    shuffle = not isinstance(source, IterableDataset)
    loader = DataLoader(source, batch_size=64, shuffle=shuffle, num_workers=workers)
    return sum(len(images) for images, _ in loader)


def ranges(files: Sequence[Path], folder: Path) -> Dataset[Sample]:
    """Return this project's form, with the files packed as in a tar archive."""
    where = folder / "records"
    where.mkdir()
    for split in ("train", "test"):
        packed = pack(files, where / f"{split}.bin")
        extents = np.array([(image.offset, image.length) for image in packed])
        save_array(where / f"{split}_ranges.npy", extents)
        save_array(where / f"{split}_labels.npy", np.zeros(len(files), np.int64))
    description = PreparedDataset(
        folder=folder,
        name="samples",
        kind="imagenet",
        class_names=("one",),
        image_size=224,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        splits={split: Split(len(files), "") for split in ("train", "test")},
        storage="records",
    )
    return RecordsDataset(write_description(description), "train")


def load(path: str) -> Tensor:
    return decode_image(path, ImageReadMode.RGB)


def unpacked(files: Iterable[Path], folder: Path) -> Dataset[Sample]:
    """Return torchvision's ImageFolder over as many files, decoded by torchvision."""
    target = folder / "unpacked" / "one"
    target.mkdir(parents=True)
    for number, path in enumerate(files):
        (target / f"{number}.JPEG").write_bytes(path.read_bytes())
    return ImageFolder(folder / "unpacked", train_transform(224), loader=load)


def from_shard(sample: dict[str, bytes]) -> Sample:
    data = torch.frombuffer(bytearray(sample["jpg"]), dtype=torch.uint8)
    return train_transform(224)(decode_image(data, ImageReadMode.RGB)), int(sample["cls"])


def shards(files: Iterable[Path], folder: Path) -> Dataset[Sample]:
    """Return webdataset's form with its shuffle buffer, decoded by torchvision."""
    with webdataset.ShardWriter(f"{folder}/shard-%04d.tar", maxcount=500, verbose=0) as writer:
        for number, path in enumerate(files):
            writer.write({"__key__": str(number), "jpg": path.read_bytes(), "cls": "0"})
    written = sorted(str(path) for path in folder.glob("shard-*.tar"))
    return webdataset.WebDataset(written, shardshuffle=4).shuffle(1000).map(from_shard)


if __name__ == "__main__":
    main()
