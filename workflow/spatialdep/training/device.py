"""The device that trains, and how it computes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from spatialdep.errors import UserError
from spatialdep.specification.run import Recipe

CHOICES = ("auto", "cpu", "cuda")


def pick_device(choice: str, local_rank: int = 0) -> torch.device:
    """Return the device for ``"auto"`` (a GPU where there is one), ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    local_rank
        Which of the node's visible GPUs.

    Raises
    ------
    UserError
        If a GPU is asked for that is not there.
    """
    gpus = torch.cuda.device_count() if choice != "cpu" else 0
    if choice == "cpu" or (choice == "auto" and gpus == 0):
        return torch.device("cpu")
    if local_rank >= gpus:
        raise UserError(
            f"GPU {local_rank} was asked for, but torch {torch.__version__} sees {gpus}: check "
            "nvidia-smi and CUDA_VISIBLE_DEVICES, or train with --device cpu."
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def set_up(device: torch.device, recipe: Recipe, threads: int | None) -> None:
    """Make torch compute as ``recipe`` says, on ``threads`` CPU threads (None: torch's choice).

    ``float32`` means float32: products in the shortened format TF32 are off. Convolution algorithms
    are chosen by trying them out, unless the run must be deterministic.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device.type == "cpu":
        # The CPU kernels that we use always add up in the same order.
        return
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.benchmark = not recipe.deterministic
    if recipe.deterministic:
        # cuBLAS reads this when it is first used; without it its sums may vary between runs.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def emulates_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` is a CPU without bfloat16 instructions, which computes it slowly."""
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    return not any(has for name, has in capabilities.items() if "bf16" in name)


def describe(device: torch.device) -> str:
    """Return the device's name, such as ``"NVIDIA H200"`` or ``"AMD EPYC 9654, 2 threads"``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


@contextmanager
def out_of_memory_as_sentence(device: torch.device) -> Iterator[None]:
    """Turn a failed allocation, on a GPU or not, into one sentence.

    Raises
    ------
    UserError
        In place of torch's or Python's error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # torch's CPU allocator has no error class of its own.
        of_cpu = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
        if not (of_cpu or isinstance(error, torch.OutOfMemoryError)):
            raise
        raise UserError(
            f"out of memory on {describe(device)} ({str(error)[:150]}): use a "
            "device with more memory or fewer runs on it, or a smaller batch or width."
        ) from error


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "CPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "CPU"
