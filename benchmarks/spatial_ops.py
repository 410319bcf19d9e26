"""How fast the spatial operations are, on their own and in a training step.

Prints one JSON line a figure. ``ratio`` is the median over repeats in which ours and theirs take
turns, so that other load on the machine meets both; ``spread`` holds the smallest and largest.

    PYTHONPATH=workflow python benchmarks/spatial_ops.py
    PYTHONPATH=workflow python benchmarks/spatial_ops.py --only shuffle
    PYTHONPATH=workflow python benchmarks/spatial_ops.py --only steps --width 0.25 --repeats 9

* ``shuffle``: ``spatial_shuffle`` forward + backward at the inputs of VGG-16's conv33, conv41 and
  conv51 on 32×32 images, batch 128, against two loops over channels; ratio = times faster.
* ``steps``: forward, backward and SGD of VGG-16 with the last k units modified against the plain
  network, on random 32×32 images, batch 128; ratio = times longer. On a GPU in bfloat16,
  channels_last and compiled, on a CPU in float32 and eager.
"""

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from spatialdep.architectures import build_network
from spatialdep.spatial_ops.functional import spatial_shuffle

UNITS = {"conv33": (256, 8), "conv41": (256, 4), "conv42": (512, 4), "conv51": (512, 2)}
SHUFFLE_AIMS = {"cpu": {8: 3.5, 4: 5.0, 2: 10.0}, "cuda": {8: 50.0, 4: 50.0, 2: 50.0}}
STEP_AIMS = {7: 1.10, 13: 1.25}
BATCH = 128


def loop_of_indexing(x: Tensor) -> Tensor:
    """Shuffle channel by channel with ``torch.randperm`` and indexing, as is done elsewhere."""
    channels = x.flatten(2).unbind(1)
    shuffled = [
        channel[:, torch.randperm(channel.shape[1], device=x.device)] for channel in channels
    ]
    return torch.stack(shuffled, 1).view_as(x)


def loop_of_index_select(x: Tensor) -> Tensor:
    """Shuffle channel by channel, by the fastest loop that we could write."""
    channels = x.flatten(2).unbind(1)
    shuffled = [
        channel.index_select(1, torch.randperm(channel.shape[1], device=x.device))
        for channel in channels
    ]
    return torch.stack(shuffled, 1).view_as(x)


def take_turns(
    calls: Mapping[str, Callable[[], object]], repeats: int, seconds: float
) -> dict[str, list[float]]:
    """Time the calls one after the other, ``repeats`` times; return seconds a call."""
    timers = {name: Timer("call()", globals={"call": call}) for name, call in calls.items()}
    # As in blocked_autorange, but every repeat visits all calls.
    once = {name: timer.timeit(2).mean for name, timer in timers.items()}
    counts = {name: max(1, round(seconds / time)) for name, time in once.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, timer in timers.items():
            times[name].append(timer.timeit(counts[name]).mean)
    return times


def figure(
    name: str,
    ours: list[float],
    theirs: list[float],
    *,
    device: torch.device,
    aim: float | None,
    faster: bool,
) -> dict[str, Any]:
    """Compare repeats pairwise; ``faster`` says whether a large or a small ratio is good."""
    ratios = [b / a if faster else a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return {
        "name": name,
        "ours": statistics.median(ours),
        "theirs": statistics.median(theirs),
        "unit": "s",
        "ratio": round(ratio, 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "aim": aim,
        "met": aim is None or (ratio >= aim if faster else ratio <= aim),
        "machine": machine(device),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"


def shuffles(device: torch.device, repeats: int) -> Iterator[dict[str, Any]]:
    loops = (loop_of_indexing, loop_of_index_select)
    for unit, (channels, size) in UNITS.items():
        x = torch.randn(BATCH, channels, size, size, device=device, requires_grad=True)
        gradient = torch.randn_like(x)

        def both_ways(
            shuffle: Callable[[Tensor], Tensor], x: Tensor = x, gradient: Tensor = gradient
        ) -> None:
            torch.autograd.grad(shuffle(x), x, gradient)

        calls = {call.__name__: partial(both_ways, call) for call in (spatial_shuffle, *loops)}
        times = take_turns(calls, repeats, seconds=0.05)
        for loop in loops:
            yield figure(
                f"spatial_shuffle/{unit}/{channels}x{size}x{size}/{loop.__name__}",
                times["spatial_shuffle"],
                times[loop.__name__],
                device=device,
                aim=SHUFFLE_AIMS[device.type][size],
                faster=True,
            )


def training_step(device: torch.device, width: float, **setting: Any) -> Callable[[], None]:
    """Return a call that trains one step, everything made ready outside it."""
    on_gpu = device.type == "cuda"
    memory_format = torch.channels_last if on_gpu else torch.contiguous_format
    torch.manual_seed(0)
    network = build_network("vgg16", classes=100, image_size=32, width=width, **setting)
    # The arguments' keywords go together in no overload that torch has typed.
    network = network.to(device).to(memory_format=memory_format)  # type: ignore[call-overload]
    images = torch.randn(BATCH, 3, 32, 32, device=device).contiguous(memory_format=memory_format)
    labels = torch.randint(100, (BATCH,), device=device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    call = torch.compile(network, fullgraph=True) if on_gpu else network

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            loss = torch.nn.functional.cross_entropy(call(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        optimizer.step()

    return step


def steps(device: torch.device, repeats: int, width: float) -> Iterator[dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {}
    for k in (4, 7, 13):
        for downsampling in ("strided", "pooled"):
            settings[f"spatial_shuffle/{downsampling}/last{k}"] = {
                "operation": "spatial_shuffle",
                "last_k": k,
                "downsampling": downsampling,
            }
    for k in range(1, 14):
        settings[f"gap_fc/last{k}"] = {"operation": "gap_fc", "last_k": k}
    baseline = training_step(device, width)
    for name, setting in settings.items():
        calls = {"theirs": baseline, "ours": training_step(device, width, **setting)}
        times = take_turns(calls, repeats, seconds=0.05)
        aim = 1.0 if setting["operation"] == "gap_fc" else STEP_AIMS.get(setting["last_k"])
        yield figure(
            f"training_step/width{width:g}/{name}",
            times["ours"],
            times["theirs"],
            device=device,
            aim=aim,
            faster=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("shuffle", "steps"))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--width", type=float, default=1.0, help="of the networks in steps")
    parser.add_argument("--threads", type=int, help="of a CPU; by default torch's choice")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    devices = [torch.device("cpu")]
    if torch.cuda.is_available():
        devices.append(torch.device("cuda"))
    for device in devices:
        if given.only != "steps":
            for line in shuffles(device, given.repeats):
                print(json.dumps(line), flush=True)
        if given.only != "shuffle":
            for line in steps(device, given.repeats, given.width):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
