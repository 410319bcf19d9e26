"""Passes over the test images whose result depends on neither batch size nor what ran before."""

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from spatialdep.evaluation.image_batches import ImageBatches
from spatialdep.evaluation.records import PassResult
from spatialdep.spatial_ops.random_stream import set_generator

# Permutations drawn per image come from one draw for each block of images, in the order of the test
# set, so that they too do not depend on the batch size.
PER_IMAGE_BLOCK = 100
TOP = 5


def evaluate(
    network: nn.Module,
    images: ImageBatches,
    *,
    passes: int,
    seed: int,
    batch_size: int,
    per_image: bool = False,
) -> tuple[PassResult, ...]:
    """Evaluate ``network`` in ``passes`` passes over ``images``.

    In a pass each shuffle draws once: the same permutations serve all batches, as if the test set
    were one batch (with permutations per image, each block of :data:`PER_IMAGE_BLOCK` images).

    Parameters
    ----------
    network
        In test mode; it is moved to the device of the images.
    images
        The test set.
    passes
        How often; more than one is of use only for a network that draws at random.
    seed
        The run's seed; pass 3 of seed 0 is the same whatever else is computed.
    batch_size
        Changes speed and memory, not the result.
    per_image
        Whether the network draws permutations for each image.
    """
    network.to(images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator(images.device)
    set_generator(network, generator)
    size = PER_IMAGE_BLOCK if per_image else batch_size
    tallies = [_Tally() for _ in range(passes)]
    # Passes are the inner loop, so that an image is read and decoded once.
    for block, (batch, labels) in enumerate(images.batches(size)):
        for number, tally in enumerate(tallies):
            generator.manual_seed(pass_seed(seed, number, block if per_image else 0))
            with torch.inference_mode():
                tally.add(network(batch), labels)
    return tuple(tally.result() for tally in tallies)


def pass_seed(seed: int, number: int, block: int = 0) -> int:
    """Return the seed of a pass of a run, from 0 to 2⁶³ − 1."""
    text = f"evaluation/{seed}/{number}/{block}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class _Tally:
    """Gathers what a pass came to; nothing is read from the device before the end."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._ranks: list[Tensor] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        self._losses.append(functional.cross_entropy(logits, labels, reduction="none"))
        own = logits.gather(1, labels[:, None])
        # How many classes come before the true one; a tie counts against the network, so that equal
        # logits (or NaN) are never right by chance of their order.
        better = (logits > own).sum(1)
        ties = (logits == own).sum(1) - 1
        self._ranks.append(torch.where(own[:, 0].isfinite(), better + ties, logits.shape[1]))

    def result(self) -> PassResult:
        ranks = torch.cat(self._ranks)
        correct = (ranks == 0).cpu().numpy()
        return PassResult(
            top1=100 * float(correct.mean()),
            top5=100 * float((ranks < TOP).double().mean()),
            loss=float(torch.cat(self._losses).double().mean()),
            correct=correct,
        )
