"""Puts a training together from what its specification and its dataset say."""

import torch

from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.errors import UserError
from spatialdep.specification.run import RunSpecification
from spatialdep.training.array_batches import ArrayBatches
from spatialdep.training.batches import Batches
from spatialdep.training.distributed import Ranks
from spatialdep.training.learner import PRECISIONS, Learner
from spatialdep.training.network import initial_network


def make_learner(
    run: RunSpecification, classes: int, device: torch.device, ranks: Ranks, *, graph: bool
) -> Learner:
    """Return the network of ``run`` on ``device``, ready for its first step."""
    return Learner(initial_network(run, classes), run, device, ranks, graph=graph)


def make_batches(
    run: RunSpecification,
    data: PreparedDataset,
    device: torch.device,
    ranks: Ranks,
    workers: int,
) -> Batches:
    """Return the batches of ``data`` in the form that its storage asks for.

    Raises
    ------
    UserError
        If the data are not what ``run`` was specified for, or are damaged.
    """
    if data.image_size != run.image_size:
        raise UserError(
            f"{data.folder} holds images of {data.image_size} pixels, but the run is specified for "
            f"{run.image_size}: give --image-size {data.image_size} or other data."
        )
    dtype = PRECISIONS[run.recipe.precision]
    if data.storage == "arrays":
        data.verify_digests()
        return ArrayBatches(
            data, run.recipe, seed=run.seed, device=device, dtype=dtype, ranks=ranks
        )
    # Here, since it imports torchvision, for which runs on small images need not wait.
    from spatialdep.training.record_batches import RecordBatches  # noqa: PLC0415

    return RecordBatches(
        data,
        run.recipe,
        seed=run.seed,
        device=device,
        dtype=dtype,
        ranks=ranks,
        workers=workers,
    )
