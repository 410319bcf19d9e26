"""How fast training is, against a plain loop and against the hardware.

Prints one JSON line a figure. Where two things are compared they take turns, so that other load on
the machine meets both; ``ratio`` is the median over the repeats, ``spread`` the smallest and
largest.

    PYTHONPATH=workflow python benchmarks/training.py
    PYTHONPATH=workflow python benchmarks/training.py --only loop --data results/data/cifar100
    PYTHONPATH=workflow python benchmarks/training.py --only sharing

* ``loop``: VGG-16 on 32×32 images, batch 128, by our loop and by the usual one, written out below:
  a DataLoader with workers, crop and flip on the CPU, float32, ``.item()`` in each step. Width 1/4
  on a CPU, 1 on a GPU; ratio = times faster.
* ``formats`` (CPU): a training step in each memory format and precision; ratio = times faster than
  the slowest.
* ``operations``: our step with an operation in the last k units against the baseline's; ratio =
  times longer.
* ``start``: seconds from the start of the command to its first step.
* ``peak`` (GPU): our share of what a dense bfloat16 product reaches.
* ``graph`` (GPU): replayed steps against steps launched kernel by kernel; ratio = times faster.
* ``profile`` (GPU): where the time of a step goes, by kind of kernel, and how long the GPU waits.
* ``sharing`` (GPU): images/s of 1, 2 and 4 runs on one GPU together, without and with MPS;
  ratio = times the speed of one alone.

Without ``--data``, noise in the shape of CIFAR-100 is used: the speed does not depend on pixels.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2

from spatialdep.architectures import build_network
from spatialdep.datasets.prepared import PreparedDataset, load_prepared, write_prepared
from spatialdep.specification.arguments import to_arguments
from spatialdep.specification.run import Recipe, RunSpecification
from spatialdep.training.batches import Batches
from spatialdep.training.device import describe, pick_device, set_up
from spatialdep.training.distributed import Ranks
from spatialdep.training.learner import Learner
from spatialdep.training.setup import make_batches, make_learner

BATCH = 128
# As the recipes for processors and for GPUs have it.
PRECISION = {"cpu": "float32", "cuda": "bfloat16"}
AIMS = {
    "loop/cpu": 1.5,
    "loop/cuda": 8.0,
    "operations/last7": 1.10,
    "operations/last13": 1.25,
    "start": 6.0,
    "peak": 0.35,
}
KINDS = {
    "convolution": ("conv", "xmma", "cudnn", "implicit", "cutlass"),
    "matrix product": ("gemm", "cublas", "nvjet"),
    "BatchNorm": ("batch_norm", "bn_"),
    "pooling": ("pool",),
    "optimiser": ("multi_tensor", "fused_sgd"),
    "shuffles": ("sort", "radix", "index", "gather", "scatter", "distribution"),
    "casts and copies": ("copy", "memcpy", "memset", "fill"),
}


def setting(width: float, operation: str = "none", last_k: int = 0, **recipe: Any) -> Any:
    whole = {"name": "benchmark", "epochs": 1000, "augmentation": "crop_flip", "batch_size": BATCH}
    return RunSpecification(
        dataset="cifar100",
        image_size=32,
        architecture="vgg16",
        width=width,
        operation=operation,
        last_k=last_k,
        recipe=Recipe(**{**whole, **recipe}),
    )


def our_steps(
    run: RunSpecification, data: PreparedDataset, device: torch.device, graph: bool = True
) -> Callable[[int], None]:
    """Return a function that trains so many steps of our loop and waits for the device."""
    learner = make_learner(
        run, data.classes, device, Ranks(), graph=graph and device.type == "cuda"
    )
    batches = make_batches(run, data, device, Ranks(), workers=0)
    endless = _endless(learner, batches)

    def steps(count: int) -> None:
        for _ in range(count):
            next(endless)
        learner.wait()

    return steps


def _endless(learner: Learner, batches: Batches) -> Iterator[None]:
    epoch = 0
    while True:
        learner.begin_training(epoch)
        for batch in batches.train(epoch, 0):
            learner.train(batch, 0.01)
            yield
        epoch += 1


class Pictures(Dataset[tuple[Tensor, int]]):
    """A dataset as tutorials have it: one image at a time, transformed on the CPU."""

    def __init__(self, data: PreparedDataset) -> None:
        images = np.array(data.images("train")).transpose(0, 2, 3, 1)
        self.images, self.labels = np.ascontiguousarray(images), data.labels("train")
        self.transform = v2.Compose(
            [
                v2.ToPILImage(),
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(data.mean, data.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def plain_steps(width: float, data: PreparedDataset, device: torch.device) -> Callable[[int], None]:
    """Return a function that trains so many steps of the usual loop."""
    pictures = Pictures(data)
    network = build_network("vgg16", classes=data.classes, image_size=32, width=width).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    workers = min(len(os.sched_getaffinity(0)), 8)

    def steps(count: int) -> None:
        loader = DataLoader(
            pictures, BATCH, shuffle=True, num_workers=workers, pin_memory=device.type == "cuda"
        )
        total = 0.0
        for images, labels in itertools.islice(loader, count):
            loss = nn.functional.cross_entropy(network(images.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            optimizer.step()
            total += loss.item()

    return steps


def take_turns(
    calls: Mapping[str, Callable[[int], None]], repeats: int, steps: int
) -> dict[str, list[float]]:
    """Return images/s of each call, ``repeats`` times, after a turn to warm up."""
    speeds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call(steps)
            if turn:
                speeds[name].append(steps * BATCH / (time.perf_counter() - began))
    return speeds


def compare(
    name: str, ours: list[float], theirs: list[float], device: torch.device, aim: float | None,
    *, longer: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Compare images/s turn by turn: times faster, or, with ``longer``, times longer a step."""
    ratios = [b / a if longer else a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return line(
        name,
        device,
        ours=round(statistics.median(ours), 1),
        theirs=round(statistics.median(theirs), 1),
        unit="images/s",
        ratio=round(ratio, 3),
        spread=[round(min(ratios), 3), round(max(ratios), 3)],
        aim=aim,
        met=aim is None or (ratio <= aim if longer else ratio >= aim),
    )


def line(name: str, device: torch.device, **values: Any) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"name": name, **values, "machine": describe(device), "versions": versions}


def loop(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    width, steps = (1.0, 300) if device.type == "cuda" else (0.25, 10)
    calls = {
        "ours": our_steps(setting(width, precision=PRECISION[device.type]), data, device),
        "theirs": plain_steps(width, data, device),
    }
    speeds = take_turns(calls, repeats, steps)
    name = f"loop/{device.type}"
    yield compare(f"{name}/width{width:g}", speeds["ours"], speeds["theirs"], device, AIMS[name])


def formats(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    if device.type == "cuda":
        return
    for width in (0.125, 0.25, 0.5, 1.0):
        calls = {
            f"{layout}/{precision}": _format_steps(width, layout, precision)
            for layout in ("channels_last", "contiguous_format")
            for precision in ("bfloat16", "float32")
        }
        speeds = take_turns(calls, repeats, 1 if width == 1 else 3)
        slowest = min(speeds.values(), key=statistics.median)
        for name, found in speeds.items():
            yield compare(f"formats/width{width:g}/{name}", found, slowest, device, None)


def _format_steps(width: float, layout: str, precision: str) -> Callable[[int], None]:
    memory_format = getattr(torch, layout)
    network = build_network("vgg16", classes=100, image_size=32, width=width)
    network = network.to(memory_format=memory_format)  # type: ignore[call-overload]  # as untyped
    images = torch.randn(BATCH, 3, 32, 32).contiguous(memory_format=memory_format)
    labels = torch.randint(100, (BATCH,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)

    def steps(count: int) -> None:
        for _ in range(count):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = nn.functional.cross_entropy(network(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            optimizer.step()
            optimizer.zero_grad()

    return steps


def operations(
    data: PreparedDataset, device: torch.device, repeats: int
) -> Iterator[dict[str, Any]]:
    width, steps = (1.0, 200) if device.type == "cuda" else (0.25, 5)
    precision = PRECISION[device.type]
    baseline = our_steps(setting(width, precision=precision), data, device)
    for operation, last_k in (
        ("spatial_shuffle", 4), ("spatial_shuffle", 7), ("spatial_shuffle", 13), ("gap_fc", 7)
    ):  # fmt: skip
        run = setting(width, operation, last_k, precision=precision)
        ours = our_steps(run, data, device)
        speeds = take_turns({"ours": ours, "theirs": baseline}, repeats, steps)
        aim = 1.0 if operation == "gap_fc" else AIMS.get(f"operations/last{last_k}")
        yield compare(
            f"operations/width{width:g}/{operation}/last{last_k}",
            speeds["ours"],
            speeds["theirs"],
            device,
            aim,
            longer=True,
        )


def start(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as place:
            command = _command(setting(0.25, "spatial_shuffle", 4), data, device, Path(place))
            began = time.perf_counter()
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                assert process.stderr is not None
                next(line for line in process.stderr if line.startswith("trains "))
                found.append(time.perf_counter() - began)
                process.kill()
    seconds = statistics.median(found)
    yield line(
        f"start/{device.type}",
        device,
        ours=round(seconds, 2),
        unit="s",
        spread=[round(min(found), 2), round(max(found), 2)],
        aim=AIMS["start"],
        met=seconds <= AIMS["start"],
    )


def _command(
    run: RunSpecification, data: PreparedDataset, device: torch.device, place: Path
) -> list[str]:
    return [
        sys.executable, "-m", "spatialdep.commands.train",
        "--data", str(data.folder),
        "--output", str(place / "output"),
        "--checkpoints", str(place / "checkpoints"),
        "--device", device.type,
        *to_arguments(run),
    ]  # fmt: skip


def _history(place: Path) -> list[dict[str, float]]:
    header, *rows = (place / "output" / "history.csv").read_text().splitlines()
    return [dict(zip(header.split(","), map(float, row.split(",")), strict=True)) for row in rows]


def peak(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    if device.type == "cpu":
        return
    network = build_network("vgg16", classes=100, image_size=32)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(2, 3, 32, 32)).sum().backward()
    an_image = counter.get_total_flops() / 2
    square = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)

    def products(count: int) -> None:
        for _ in range(count):
            square @ square
        torch.cuda.synchronize()

    ours = our_steps(setting(1.0), data, device)
    # 300 steps of training and 300 products take about as long as each other.
    speeds = take_turns({"ours": ours, "products": products}, repeats, 300)
    shares, rates = [], []
    for images, counted in zip(speeds["ours"], speeds["products"], strict=True):
        rates.append(counted / BATCH * 2 * 8192**3)
        shares.append(images * an_image / rates[-1])
    share = statistics.median(shares)
    yield line(
        "peak/cuda/width1",
        device,
        ours=round(statistics.median(speeds["ours"]), 1),
        unit="images/s",
        ratio=round(share, 3),
        spread=[round(min(shares), 3), round(max(shares), 3)],
        product_tflops=round(statistics.median(rates) / 1e12, 1),
        gflop_an_image=round(an_image / 1e9, 3),
        aim=AIMS["peak"],
        met=share >= AIMS["peak"],
    )


def graph(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    if device.type == "cpu":
        return
    for operation, last_k in (("none", 0), ("spatial_shuffle", 7)):
        run = setting(1.0, operation, last_k)
        calls = {
            "ours": our_steps(run, data, device),
            "theirs": our_steps(run, data, device, graph=False),
        }
        speeds = take_turns(calls, repeats, 200)
        name = f"graph/{operation}/last{last_k}"
        yield compare(name, speeds["ours"], speeds["theirs"], device, None)


def profile(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    if device.type == "cpu":
        return
    for operation, last_k in (("none", 0), ("spatial_shuffle", 7), ("spatial_shuffle", 13)):
        steps, count = our_steps(setting(1.0, operation, last_k), data, device), 100
        steps(count)
        began = time.perf_counter()
        steps(count)
        seconds = time.perf_counter() - began
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
            steps(count)
        spent: dict[str, float] = {}
        for event in found.key_averages():
            kind = _kind(event.key)
            spent[kind] = spent.get(kind, 0.0) + event.self_device_time_total / 1e6
        yield line(
            f"profile/{operation}/last{last_k}",
            device,
            ms_a_step=round(1000 * seconds / count, 3),
            ms_by_kind={
                kind: round(1000 * value / count, 3)
                for kind, value in sorted(spent.items(), key=lambda item: -item[1])
            },
            waiting=round(max(0.0, 1 - sum(spent.values()) / seconds), 3),
        )


def _kind(kernel: str) -> str:
    lower = kernel.lower()
    for kind, words in KINDS.items():
        if any(word in lower for word in words):
            return kind
    return "other"


def sharing(data: PreparedDataset, device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    if device.type == "cpu":
        return
    alone = None
    for with_mps in (False, True):
        if with_mps and not shutil.which("nvidia-cuda-mps-control"):
            yield line("sharing/mps", device, skipped="nvidia-cuda-mps-control is not installed")
            return
        with _mps() if with_mps else contextlib.nullcontext(os.environ.copy()) as environment:
            for processes in (1, 2, 4):
                speed = _together(processes, data, device, environment)
                alone = alone or speed
                yield line(
                    f"sharing/{'mps' if with_mps else 'plain'}/{processes}",
                    device,
                    ours=round(speed, 1),
                    unit="images/s in sum",
                    ratio=round(speed / alone, 3),
                )


def _together(
    processes: int, data: PreparedDataset, device: torch.device, environment: dict[str, str]
) -> float:
    """Return the images/s in sum of the epochs that all processes spent together."""
    with contextlib.ExitStack() as stack:
        places = [
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(processes)
        ]
        running = [
            subprocess.Popen(
                _command(setting(1.0, epochs=15), data, device, place),
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            for place in places
        ]
        for process in running:
            if process.wait():
                raise RuntimeError(f"a training ended with status {process.returncode}")
        # The middle third: the others may not have begun, or have ended, at either end.
        return sum(
            statistics.median(row["images_per_second"] for row in _history(place)[5:10])
            for place in places
        )


@contextlib.contextmanager
def _mps() -> Iterator[dict[str, str]]:
    """Run a private MPS server and yield the environment of its clients."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "CUDA_MPS_PIPE_DIRECTORY": folder,
            "CUDA_MPS_LOG_DIRECTORY": folder,
        }
        control = "nvidia-cuda-mps-control"
        subprocess.run([control, "-d"], env=environment, check=True)
        try:
            yield environment
        finally:
            subprocess.run([control], input="quit\n", text=True, env=environment, check=True)


@contextlib.contextmanager
def _dataset(folder: Path | None) -> Iterator[PreparedDataset]:
    if folder is not None:
        yield load_prepared(folder)
        return
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        yield write_prepared(
            Path(place),
            name="noise",
            kind="noise",
            class_names=[str(i) for i in range(100)],
            mean=[0.5] * 3,
            std=[0.25] * 3,
            splits={
                split: (
                    rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8),
                    np.arange(count) % 100,
                )
                for split, count in (("train", 50_000), ("test", 10_000))
            },
        )


PARTS = {
    part.__name__: part
    for part in (loop, formats, operations, start, peak, graph, profile, sharing)
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    parser.add_argument("--data", type=Path, help="a prepared dataset of 32×32 images")
    parser.add_argument("--device", choices=("cpu", "cuda"), nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of a CPU; by default torch's choice")
    given = parser.parse_args()
    names = given.device or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    with _dataset(given.data) as data:
        for device in map(pick_device, names):
            set_up(device, setting(1.0).recipe, given.threads)
            for name in given.only:
                for found in PARTS[name](data, device, given.repeats):
                    print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
