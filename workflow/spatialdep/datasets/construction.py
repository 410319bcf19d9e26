"""Building arrays of small images from many encoded ones: in shards, in parallel, in order.

A dataset is described by a :class:`Blueprint`: for each split a sequence of groups (a class, say),
each of which lists its encoded images when it is asked. Shard ``i`` of ``n`` is a run of groups, so
the shards one after the other are the same for every ``n``, and for any number of workers.
"""

import csv
import hashlib
import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spatialdep.atomic import atomic_write
from spatialdep.datasets.decode import Decoder, UnreadableError
from spatialdep.datasets.encoded import EncodedImage, read_all
from spatialdep.datasets.normalisation import PixelSums, Triple
from spatialdep.datasets.npy_writer import write_npy
from spatialdep.datasets.prepared import SPLITS
from spatialdep.errors import UserError

Group = Callable[[], Sequence[EncodedImage]]

MANIFEST_COLUMNS = ("split", "file", "class", "sha256", "skipped")
_PARTS = ("images", "labels")
_CHUNK_IMAGES = 64


@dataclass(frozen=True)
class Blueprint:
    """What a dataset of small images is built from.

    Attributes
    ----------
    class_names
        By label.
    groups
        For each split, what it consists of, in the order of the finished arrays.
    image_size
        Side of the square images, in pixels.
    max_unreadable
        How many images, over all shards, may be refused and left out.
    normalisation
        Mean and std of the literature, or None for the train split's own.
    other_labels
        Further numberings of the classes, by name: the number of each label.
    """

    class_names: tuple[str, ...]
    groups: Mapping[str, Sequence[Group]]
    image_size: int
    max_unreadable: int = 0
    normalisation: tuple[Triple, Triple] | None = None
    other_labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardSummary:
    """``shard.json``, written when everything else in the shard's folder is complete."""

    shard: int
    shards: int
    images: Mapping[str, int]
    skipped: int
    pixel_sums: PixelSums
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class _Small:
    """What became of one encoded image."""

    pixels: np.ndarray | None
    sha256: str
    refusal: str


def build_shard(
    blueprint: Blueprint, shard: int, shards: int, workers: int, folder: Path
) -> ShardSummary:
    """Write one shard to ``folder``: images, labels and manifest of each split.

    Memory depends on ``workers``, not on the number of images.

    Raises
    ------
    UserError
        If more images than ``blueprint.max_unreadable`` are refused; the sentence names the last.
    """
    if not 0 <= shard < shards:
        raise UserError(f"there is no shard {shard} of {shards}: they count from 0.")
    (folder / "shard.json").unlink(missing_ok=True)
    for leftover in folder.glob(".*"):
        leftover.unlink()  # Of a build that was killed here.
    counts, sums, skipped = {}, PixelSums(), 0
    with ExitStack() as stack:
        run = _runner(workers, blueprint.image_size, stack)
        manifest = csv.writer(stack.enter_context(atomic_write(folder / "manifest.csv")))
        for split in SPLITS:
            groups = _share(blueprint.groups[split], shard, shards)
            # A generator, so that only one group's list is in memory.
            images = (image for group in groups for image in group())
            writer = _SplitWriter(folder, split, blueprint.image_size, stack)
            for image, small in tqdm(run(images), desc=f"{split} images", unit="", mininterval=1):
                name = blueprint.class_names[image.label]
                manifest.writerow([split, image.name, name, small.sha256, small.refusal])
                if small.pixels is None:
                    skipped += 1
                    _refuse_beyond(blueprint.max_unreadable, skipped, image, small.refusal)
                else:
                    writer.append(small.pixels, image.label)
            writer.flush()
            counts[split] = writer.count
            sums = writer.sums if split == "train" else sums
    files = ["manifest.csv", *(f"{split}_{part}.npy" for split in SPLITS for part in _PARTS)]
    summary = ShardSummary(
        shard, shards, counts, skipped, sums, {name: _sha256(folder / name) for name in files}
    )
    with atomic_write(folder / "shard.json") as stream:
        json.dump(asdict(summary), stream, indent=2)
        stream.write("\n")
    return summary


class _SplitWriter:
    """Writes the images and labels of one split of a shard, and sums their pixels."""

    def __init__(self, folder: Path, split: str, size: int, stack: ExitStack) -> None:
        paths = [folder / f"{split}_{part}.npy" for part in _PARTS]
        self._images = stack.enter_context(write_npy(paths[0], (3, size, size), np.uint8))
        self._labels = stack.enter_context(write_npy(paths[1], (), np.int64))
        self._pending: list[np.ndarray] = []
        self.sums = PixelSums()

    @property
    def count(self) -> int:
        return self._labels.rows

    def append(self, pixels: np.ndarray, label: int) -> None:
        self._labels.append(label)
        self._pending.append(pixels)
        if len(self._pending) == _CHUNK_IMAGES:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            batch = np.stack(self._pending)
            self._images.extend(batch)
            self.sums += PixelSums.of(batch)
            self._pending.clear()


def _share(groups: Sequence[Group], shard: int, shards: int) -> Sequence[Group]:
    start, end = (number * len(groups) // shards for number in (shard, shard + 1))
    return groups[start:end]


def _refuse_beyond(limit: int, count: int, image: EncodedImage, reason: str) -> None:
    if count > limit:
        raise UserError(
            f"{image.name} in {image.file} cannot be used: {reason}. "
            f"{count} such image{'s' if count > 1 else ''}, but max_unreadable is {limit}: mend "
            "the source, or raise max_unreadable to leave it out and list it in the manifest."
        )


def _runner(
    workers: int, size: int, stack: ExitStack
) -> Callable[[Iterable[EncodedImage]], Iterator[tuple[EncodedImage, _Small]]]:
    """Return a function that shrinks images in order, here or in ``workers`` processes."""
    if workers <= 1:
        return partial(_shrink_here, size)
    pool = stack.enter_context(
        # Not fork: libraries loaded here may have threads.
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    )
    return partial(_shrink_in, pool, workers, size)


def _shrink_here(
    size: int, images: Iterable[EncodedImage]
) -> Iterator[tuple[EncodedImage, _Small]]:
    for chunk in _chunks(images):
        yield from zip(chunk, _shrink(size, chunk), strict=True)


def _shrink_in(
    pool: ProcessPoolExecutor, workers: int, size: int, images: Iterable[EncodedImage]
) -> Iterator[tuple[EncodedImage, _Small]]:
    # Executor.map would take in the whole sequence at once; this holds four chunks a worker.
    pending: deque[tuple[list[EncodedImage], Future[list[_Small]]]] = deque()
    chunks = _chunks(images)
    try:
        while True:
            for chunk in islice(chunks, 4 * workers - len(pending)):
                pending.append((chunk, pool.submit(_shrink, size, chunk)))
            if not pending:
                return
            chunk, future = pending.popleft()
            yield from zip(chunk, future.result(), strict=True)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, probably since memory ran out: use fewer workers, or ask "
            "for more memory."
        ) from error
    finally:
        for _, future in pending:
            future.cancel()


def _chunks(images: Iterable[EncodedImage]) -> Iterator[list[EncodedImage]]:
    iterator = iter(images)
    while chunk := list(islice(iterator, _CHUNK_IMAGES)):
        yield chunk


@cache
def _decoder() -> Decoder:
    """Return this process's decoder, whose memory is touched once and not for every chunk."""
    return Decoder()


def _shrink(size: int, images: Sequence[EncodedImage]) -> list[_Small]:
    decoder, results = _decoder(), []
    for _, data in read_all(images):
        digest = hashlib.sha256(data).hexdigest()
        try:
            results.append(_Small(decoder.small(data, size), digest, ""))
        except UnreadableError as error:
            results.append(_Small(None, digest, str(error)))
    return results


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
