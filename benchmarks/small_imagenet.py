"""What building Small-ImageNet costs: images a second, cores, memory.

Run it from the project's root with a folder of ImageNet originals, on a machine at rest:
``PYTHONPATH=workflow python benchmarks/small_imagenet.py --samples FOLDER``. It prints one JSON
line a figure. The samples are packed into one file, as in the archives, and repeated as often as
is needed: all times are for files in the page cache, and say nothing about a disk.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from spatialdep.datasets.construction import Blueprint, build_shard
from spatialdep.datasets.encoded import EncodedImage

SIZE = 32
PACKAGES = ("numpy", "pillow", "simplejpeg")
# So many that a shard's fixed costs, some fsyncs, do not show; a real one has 64,000.
IMAGES = 1000


def main() -> None:
    figures = {
        "construction": construction,
        "cores": cores,
        "memory": memory,
        "scaled": scaled_decoding,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder of .JPEG originals")
    parser.add_argument("--repeats", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--what", nargs="*", choices=figures, default=list(figures))
    arguments = parser.parse_args()
    files = sorted(arguments.samples.glob("*.JPEG"))
    for name in arguments.what:
        for figure in figures[name](files, arguments.repeats):
            print(json.dumps({**figure, **circumstances()}), flush=True)


def circumstances() -> dict[str, object]:
    return {
        "machine": f"{os.cpu_count()} cores {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def best(
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    **contenders: Callable[[], object],
) -> dict[str, float]:
    """Return each one's least seconds; interleaved, so that a busy moment meets them all."""
    least = dict.fromkeys(contenders, float("inf"))
    for _ in range(repeats):
        for name, contender in contenders.items():
            start = clock()
            contender()
            least[name] = min(least[name], clock() - start)
    return least


def compared(name: str, ours: float, theirs: float, **more: object) -> dict[str, object]:
    """Return a figure from two rates, in images a second."""
    rates = {"ours_images_per_s": round(ours, 1), "theirs_images_per_s": round(theirs, 1)}
    return {"name": name, **rates, "ratio": round(ours / theirs, 3), **more}


def pack(files: Sequence[Path], path: Path) -> list[EncodedImage]:
    """Put files one after the other into one, with a tar header's room between."""
    images = []
    with path.open("wb") as packed:
        for file in files:
            packed.write(bytes(512))
            images.append(EncodedImage(path, packed.tell(), file.stat().st_size, file.name, 0))
            packed.write(file.read_bytes())
    return images


def build(packed: Sequence[EncodedImage], images: int, workers: int, folder: Path) -> None:
    """Build one shard of so many train images, the packed ones repeated in classes of 1,300."""
    groups = [
        partial(repeated, packed, start, min(start + 1300, images))
        for start in range(0, images, 1300)
    ]
    blueprint = Blueprint(("one",), {"train": groups, "test": []}, SIZE)
    build_shard(blueprint, 0, 1, workers, folder)


def repeated(packed: Sequence[EncodedImage], start: int, end: int) -> list[EncodedImage]:
    return list(islice(cycle(packed), start, end))


def with_pillow(files: Sequence[Path], folder: Path) -> None:
    """Do as the published sets were made, a PNG an image."""
    folder.mkdir(exist_ok=True)
    for path in files:
        small = Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
        small.save(folder / f"{path.stem}.png")


def construction(files: Sequence[Path], repeats: int) -> Iterator[dict[str, object]]:
    """Compare the whole build, on one core, with Pillow's way and with decoding alone."""
    data = [path.read_bytes() for path in files]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packed = pack(files, folder / "packed")
        seconds = best(
            repeats,
            # Of this process alone, as the figures are a core's.
            clock=time.process_time,
            ours=lambda: build(packed, IMAGES, 1, folder / "ours"),
            pillow=lambda: with_pillow(files, folder / "pillow"),
            limit=lambda: [simplejpeg.decode_jpeg(image) for image in data],
        )
    ours = IMAGES / seconds["ours"]
    for what, name in (
        ("pillow", "construction, one core, against Pillow to PNG one by one"),
        ("limit", "construction, one core, against libjpeg-turbo decoding alone"),
    ):
        yield compared(name, ours, len(files) / seconds[what])


def cores(files: Sequence[Path], repeats: int) -> Iterator[dict[str, object]]:
    """Compare as many workers as there are cores with one process: time, and work an image.

    Where other programs run, the second tells more: it says what the division itself costs.
    """
    images, workers = 10 * IMAGES, os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packed = pack(files, folder / "packed")
        contenders: dict[str, Callable[[], object]] = {
            "many": partial(build, packed, images, workers, folder / "many"),
            "one": partial(build, packed, images, 1, folder / "one"),
        }
        seconds = best(max(2, repeats // 2), **contenders)
        work = best(2, clock=processor_seconds, **contenders)
    for what, spent in (("speed", seconds), ("work on processors", work)):
        name = f"construction, {workers} workers against one process, {what}"
        yield compared(name, images / spent["many"], images / spent["one"], workers=workers)


def processor_seconds() -> float:
    """Return what this process and its finished children have used."""
    return sum(os.times()[:4])


def memory(files: Sequence[Path], repeats: int) -> Iterator[dict[str, object]]:
    """Compare the peak memory of 2,500 and 25,000 images with that of 250, in new processes."""
    first = None
    for images in (250, 2500, 25_000):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak, seconds = pool.apply(peak_and_seconds, (files, images))
        first = first or peak
        yield {
            "name": f"construction, peak memory over {images} images against {250}",
            "ours_mb": round(peak, 1),
            "theirs_mb": round(first, 1),
            "ratio": round(peak / first, 3),
            "ms_per_image": round(1000 * seconds / images, 3),
        }


def peak_and_seconds(files: Sequence[Path], images: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack(files, Path(scratch) / "packed")
        start = time.perf_counter()
        build(packed, images, 1, Path(scratch) / "ours")
        seconds = time.perf_counter() - start
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds


def scaled_decoding(files: Sequence[Path], repeats: int) -> Iterator[dict[str, object]]:
    """Show what decoding at a reduced scale would save and change: why it is not offered."""
    data = [path.read_bytes() for path in files]

    def small(image: bytes, **options: int) -> np.ndarray:
        pixels = Image.fromarray(simplejpeg.decode_jpeg(image, **options))
        return np.asarray(pixels.resize((SIZE, SIZE), Image.Resampling.BOX), np.int16)

    limits = {"min_height": 2 * SIZE, "min_width": 2 * SIZE, "min_factor": 1}
    seconds = best(
        repeats,
        clock=time.process_time,
        scaled=lambda: [small(image, **limits) for image in data],
        exact=lambda: [small(image) for image in data],
    )
    differences = np.stack([np.abs(small(image, **limits) - small(image)) for image in data])
    yield compared(
        "decoding at a reduced scale against exact decoding",
        len(files) / seconds["scaled"],
        len(files) / seconds["exact"],
        pixels_that_differ=round(float((differences > 0).mean()), 3),
        mean_difference=round(float(differences.mean()), 2),
        largest_difference=int(differences.max()),
    )


if __name__ == "__main__":
    main()
