"""A network that learns: one step of training, one of testing, and all state there is."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialdep.spatial_ops.random_stream import RandomModule
from spatialdep.specification.run import RunSpecification
from spatialdep.training.batches import Batch
from spatialdep.training.cuda_graph import Step, capture
from spatialdep.training.distributed import Ranks, synchronise_batch_norm
from spatialdep.training.optimiser import Sgd
from spatialdep.training.random_streams import stream_seed
from spatialdep.training.tally import Tally

Shuffled = Literal["shuffle", "test"]
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


class Learner:
    """A network with its optimiser, its shuffles' random streams and its running sums.

    All live tensors keep their places in memory, which captured steps rely on.

    Parameters
    ----------
    network
        As :func:`~spatialdep.training.network.initial_network` built it.
    run
        What decides the result.
    device
        Where to train. Weights are float32 in channels_last, the fastest format on GPUs and on
        CPUs (``benchmarks/README.md``); the forward and backward pass are in the recipe's
        precision.
    ranks
        The processes that train together.
    graph
        Replay steps as CUDA graphs, one for each size of batch.
    """

    def __init__(
        self,
        network: nn.Module,
        run: RunSpecification,
        device: torch.device,
        ranks: Ranks,
        *,
        graph: bool = False,
    ) -> None:
        if run.recipe.sync_batch_norm and ranks.world > 1:
            network = synchronise_batch_norm(network, device)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = Sgd(self.network.parameters(), run.recipe)
        self.trained, self.tested = Tally(device), Tally(device)
        self.device = device
        self._run, self._ranks, self._graph = run, ranks, graph
        self._parallel = ranks.parallel(self.network)
        self._shuffles: dict[Shuffled, torch.Generator] = {
            "shuffle": torch.Generator(device),
            "test": torch.Generator(device),
        }
        self._captured: dict[tuple[str, int], Step] = {}

    def begin_training(self, epoch: int) -> None:
        """Start the training half of ``epoch``."""
        self.trained.clear()
        self.network.train()
        self._parallel.train()
        self._draw_from("shuffle", epoch)

    def begin_testing(self, epoch: int) -> None:
        """Start the testing half of ``epoch``."""
        self.tested.clear()
        self._ranks.share_buffers(self.network)
        self.network.eval()
        self._draw_from("test", epoch)

    def train(self, batch: Batch, rate: float) -> None:
        """Take one step of SGD at the learning rate ``rate``."""
        self.optimiser.rate.fill_(rate)
        if batch.weight == 1:
            self._step("shuffle", self._train, batch)
        else:
            self._train(batch.images, batch.labels, batch.weight)

    def test(self, batch: Batch) -> None:
        """Add a batch to :attr:`tested`."""
        self._step("test", self._test, batch)

    def wait(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @property
    def tells_at_once(self) -> bool:
        """Whether reading a sum waits for nothing, as on a CPU."""
        return self.device.type == "cpu"

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def tensors(self) -> dict[str, Tensor]:
        """Return all state but the random streams, live, by name."""
        return {
            **{f"network/{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"momentum/{i:04}": tensor for i, tensor in enumerate(self.optimiser.momenta)},
            "trained": self.trained.sums,
        }

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's parameters and buffers, by name."""
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def random_state(self) -> Tensor:
        """Return the state of each rank's shuffles, uint8 ``(world, …)``."""
        return self._ranks.gather(self._shuffles["shuffle"].get_state())

    def restore(self, tensors: dict[str, Tensor], random_state: Tensor) -> None:
        """Go back to an earlier :meth:`tensors` and :meth:`random_state`.

        Raises
        ------
        ValueError
            If they are not of this network.
        """
        live = self.tensors()
        if {name: tensor.shape for name, tensor in live.items()} != {
            name: tensor.shape for name, tensor in tensors.items()
        }:
            raise ValueError("its tensors are not those of this network")
        with torch.no_grad():
            for name, tensor in live.items():
                tensor.copy_(tensors[name])
        # A copy, since set_state reads a view of a larger tensor from that tensor's start.
        self._shuffles["shuffle"].set_state(random_state[self._ranks.rank].clone())

    def _draw_from(self, name: Shuffled, epoch: int) -> None:
        """Let the shuffles draw from the start of a stream."""
        part: tuple[int | str, ...] = (epoch,)
        if self._ranks.world > 1 and dict(self._run.options).get("per_image"):
            part = (epoch, f"rank {self._ranks.rank}")
        self._shuffles[name].manual_seed(stream_seed(self._run.seed, name, *part))
        for module in self.network.modules():
            if isinstance(module, RandomModule):
                # Not by set_generator: what it does for torch.compile costs seconds of imports.
                module.generator = self._shuffles[name]

    def _step(self, name: Shuffled, function: Step, batch: Batch) -> None:
        if not self._graph:
            function(batch.images, batch.labels)
            return
        key = (name, len(batch.labels))
        if key not in self._captured:
            self._captured[key] = capture(
                function,
                (batch.images, batch.labels),
                state=[*self.tensors().values(), self.tested.sums],
                generator=self._shuffles[name],
            )
        self._captured[key](batch.images, batch.labels)

    def _train(self, images: Tensor, labels: Tensor, weight: float = 1.0) -> None:
        losses, logits = self._forward(self._parallel, images, labels)
        (losses.mean() * weight).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.trained.add(losses, logits, labels)

    @torch.no_grad()
    def _test(self, images: Tensor, labels: Tensor) -> None:
        self.tested.add(*self._forward(self.network, images, labels), labels)

    def _forward(
        self, network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the losses ``(N,)`` and the logits, both in float32."""
        dtype = PRECISIONS[self._run.recipe.precision]
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            logits = network(images).float()
        return cross_entropy(logits, labels, reduction="none"), logits
