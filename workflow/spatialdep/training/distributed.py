"""Several processes, one a GPU, that train one network together (``torchrun``).

Each rank works on its part of every batch; DistributedDataParallel averages the gradients. The
permutations of a shuffle are one draw a batch and therefore the same on all ranks: the ranks'
streams start with the same seed and draw the same shapes. Only with ``per_image`` does each rank
have its own stream, since its images are its own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from spatialdep.errors import UserError
from spatialdep.specification.run import Recipe


@dataclass(frozen=True)
class Ranks:
    """Which of the processes that train together this one is; by default the only one."""

    rank: int = 0
    local_rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this rank speaks and writes for all."""
        return self.rank == 0

    def part(self, whole: range) -> range:
        """Return this rank's share of consecutive images; sizes differ by at most one."""
        ends = [whole.start + len(whole) * rank // self.world for rank in range(self.world + 1)]
        return range(ends[self.rank], ends[self.rank + 1])

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """Return for each flag whether any rank has raised it. It does not wait for a GPU."""
        if self.world == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in raised)

    def total(self, sums: Tensor) -> Tensor:
        """Return the sum of ``sums`` over all ranks."""
        if self.world > 1:
            sums = sums.clone()
            dist.all_reduce(sums)
        return sums

    def gather(self, state: Tensor) -> Tensor:
        """Stack a CPU tensor of each rank, ``(world, …)``."""
        if self.world == 1:
            return state.unsqueeze(0)
        states = [torch.empty_like(state) for _ in range(self.world)]
        dist.all_gather(states, state)
        return torch.stack(states)

    def wait(self) -> None:
        """Wait until all ranks have come here."""
        if self.world > 1:
            dist.barrier(device_ids=None)

    def parallel(self, network: nn.Module) -> nn.Module:
        """Return ``network`` with gradients averaged over the ranks.

        Its buffers (running statistics) stay each rank's own; see :meth:`share_buffers`.
        """
        if self.world == 1:
            return network
        return nn.parallel.DistributedDataParallel(network, broadcast_buffers=False)

    def share_buffers(self, network: nn.Module) -> None:
        """Give all ranks the running statistics of the first, with which they test."""
        if self.world > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)


@contextmanager
def joined(recipe: Recipe, device: str) -> Iterator[Ranks]:
    """Join the other processes that ``torchrun`` has started, if any.

    Raises
    ------
    UserError
        If their number is not the recipe's ``gpus``, or the batch cannot be shared by them.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != recipe.gpus:
        raise UserError(
            f"the recipe says gpus {recipe.gpus}, but {world} process(es) were started: use "
            f"`torchrun --nproc-per-node {recipe.gpus} -m spatialdep.commands.train …`"
            f"{' or --gpus 1' if world == 1 else ''}."
        )
    if world == 1:
        yield Ranks()
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    # Gloo carries what the processes agree on without making a GPU wait.
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield Ranks(dist.get_rank(), int(os.environ["LOCAL_RANK"]), world)
    finally:
        dist.destroy_process_group()


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Replace each BatchNorm by one whose batch statistics are over all ranks' images."""
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(parent, name, _CpuSyncBatchNorm(child))
    return network


class _CpuSyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What torch's SyncBatchNorm is on GPUs, which it is confined to."""

    def __init__(self, plain: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__(plain.num_features, plain.eps, plain.momentum)
        self.load_state_dict(plain.state_dict())

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        pass

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, …)``; in training by mean and variance over all ranks."""
        if not self.training:
            return super().forward(x)
        wide = x.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = _summed(torch.tensor(float(x.numel() // x.shape[1])))
        mean = _summed(wide.sum(axes)) / count
        centred = wide - _along_channels(mean, x)
        variance = _summed(centred.square().sum(axes)) / count
        with torch.no_grad():
            self._keep(mean, variance * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * _along_channels(scale, x) + _along_channels(self.bias, x)).to(x.dtype)

    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def _along_channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))


def _summed(values: Tensor) -> Tensor:
    summed: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return summed


class _Sum(torch.autograd.Function):
    """The sum over all ranks; so is its gradient, since each rank's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient
