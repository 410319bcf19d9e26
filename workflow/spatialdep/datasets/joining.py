"""Putting shards together to a prepared dataset, as streams: memory stays that of a buffer."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from spatialdep.atomic import atomic_write
from spatialdep.datasets.construction import MANIFEST_COLUMNS, Blueprint, ShardSummary
from spatialdep.datasets.normalisation import PixelSums
from spatialdep.datasets.npy_writer import write_npy
from spatialdep.datasets.prepared import (
    SPLITS,
    PreparedDataset,
    Split,
    save_array,
    write_description,
)
from spatialdep.errors import UserError

_ROWS = 4096


def join_shards(
    blueprint: Blueprint, shards: Sequence[Path], folder: Path, *, name: str, kind: str
) -> PreparedDataset:
    """Join finished shards in their order to ``arrays/``, ``manifest.csv.gz``, ``dataset.json``.

    Raises
    ------
    UserError
        If a shard is missing, unfinished, altered, or of another division, or if all together left
        out more than ``blueprint.max_unreadable`` images.
    """
    (folder / "dataset.json").unlink(missing_ok=True)
    summaries = [_read_summary(path) for path in shards]
    _check_division(summaries, shards, blueprint.max_unreadable)
    for split in SPLITS:
        _join_split(shards, summaries, split, folder / "arrays", blueprint)
    _join_manifests(shards, folder / "manifest.csv.gz")
    measured = sum((summary.pixel_sums for summary in summaries), PixelSums()).mean_and_std()
    mean, std = blueprint.normalisation or measured
    return write_description(
        PreparedDataset(
            folder=folder,
            name=name,
            kind=kind,
            class_names=blueprint.class_names,
            image_size=blueprint.image_size,
            mean=mean,
            std=std,
            measured={"mean": measured[0], "std": measured[1]},
            splits={
                split: Split(sum(summary.images[split] for summary in summaries), "")
                for split in SPLITS
            },
        )
    )


def _read_summary(shard: Path) -> ShardSummary:
    path = shard / "shard.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sums = content.pop("pixel_sums")
        pixel_sums = PixelSums(sums["count"], tuple(sums["total"]), tuple(sums["squares"]))
        return ShardSummary(pixel_sums=pixel_sums, **content)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: build this shard first.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: build this shard again.") from error


def _check_division(
    summaries: Sequence[ShardSummary], shards: Sequence[Path], max_unreadable: int
) -> None:
    for position, (summary, path) in enumerate(zip(summaries, shards, strict=True)):
        if (summary.shard, summary.shards) != (position, len(shards)):
            raise UserError(
                f"{path} is shard {summary.shard} of {summary.shards}, expected shard {position} "
                f"of {len(shards)}: build it again, or give all shards in their order."
            )
    skipped = sum(summary.skipped for summary in summaries)
    if skipped > max_unreadable:
        raise UserError(
            f"{skipped} images in all shards of {shards[0].parent} cannot be used, but "
            f"max_unreadable is {max_unreadable}: see their manifest.csv, then mend the source or "
            "raise max_unreadable."
        )


def _join_split(
    shards: Sequence[Path],
    summaries: Sequence[ShardSummary],
    split: str,
    folder: Path,
    blueprint: Blueprint,
) -> None:
    shape = (3, blueprint.image_size, blueprint.image_size)
    names = (f"{split}_images.npy", f"{split}_labels.npy")
    with (
        write_npy(folder / names[0], shape, np.uint8) as images,
        write_npy(folder / names[1], (), np.int64) as labels,
    ):
        for shard, summary in zip(shards, summaries, strict=True):
            for name, writer in zip(names, (images, labels), strict=True):
                _check_digest(shard / name, summary.sha256[name])
                rows = np.load(shard / name, mmap_mode="r", allow_pickle=False)
                for start in range(0, len(rows), _ROWS):
                    writer.extend(rows[start : start + _ROWS])
    joined = np.load(folder / f"{split}_labels.npy", allow_pickle=False)
    for numbering, numbers in blueprint.other_labels.items():
        save_array(folder / f"{split}_labels_{numbering}.npy", np.array(numbers)[joined])


def _join_manifests(shards: Sequence[Path], path: Path) -> None:
    with (
        atomic_write(path, "wb") as compressed,
        # Without name and time, so that equal manifests are equal files.
        gzip.GzipFile("", "wb", fileobj=compressed, mtime=0) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["index", *MANIFEST_COLUMNS])
        for split in SPLITS:
            index = 0
            for shard in shards:
                with (shard / "manifest.csv").open(encoding="utf-8", newline="") as part:
                    index = _copy_rows(part, writer.writerow, split, index)


def _copy_rows(
    part: IO[str], write: Callable[[Sequence[object]], object], split: str, index: int
) -> int:
    """Copy a shard's rows of one split, numbering those that are in the arrays."""
    for row in csv.reader(part):
        if row[0] == split:
            skipped = row[-1] != ""
            write(["" if skipped else index, *row])
            index += not skipped
    return index


def _check_digest(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: build this shard again.") from error
    if found != expected:
        raise UserError(f"{path} was altered after it was built: build this shard again.")
