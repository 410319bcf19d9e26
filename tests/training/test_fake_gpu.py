"""What can be seen of a GPU without one: all tensors are on it, and nothing asks it for a value.

torch's fake tensors have a device but no memory. They refuse to be mixed with those of another
device, and to tell a value, for which a GPU would have to be waited for. Gradients and bfloat16
need the real thing (``test_training_cuda.py``).
"""

import pytest
import torch

# Imported later, it would meet the stand-in for torch.Generator.
import torch._dynamo
from runs import specification
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from spatialdep.datasets.prepared import load_prepared
from spatialdep.plugins import declarations
from spatialdep.specification.settings import OPERATIONS
from spatialdep.training.distributed import Ranks
from spatialdep.training.learner import Learner
from spatialdep.training.network import initial_network
from spatialdep.training.setup import make_batches

GPU = torch.device("cuda", 0)


@pytest.fixture
def parts_on_gpu(data, monkeypatch):
    """Return a function from an operation to its learner and batches, on a GPU not there."""
    dataset = load_prepared(data)
    generator = torch.Generator
    mode = FakeTensorMode(allow_non_fake_inputs=True)

    def parts(operation):
        changes = {"operation": operation, "last_k": 0 if operation == "none" else 7}
        if operation == "patch_shuffle":
            changes["options"] = (("patch", 2),)
        run = specification(changes, precision="float32")
        network = initial_network(run, dataset.classes)
        # Those of a GPU cannot be made without one.
        monkeypatch.setattr(torch, "Generator", lambda device="cpu": generator())
        mode.__enter__()
        learner = Learner(network, run, GPU, Ranks())
        return learner, make_batches(run, dataset, GPU, Ranks(), workers=0)

    yield parts
    mode.__exit__(None, None, None)


@pytest.mark.parametrize("operation", sorted(declarations(OPERATIONS)))
def test_an_epoch_stays_on_the_gpu_and_asks_it_for_nothing(parts_on_gpu, operation):
    learner, batches = parts_on_gpu(operation)
    learner.begin_training(0)
    trained = list(batches.train(0, 0))
    for batch in trained:
        losses, logits = learner._forward(learner.network, batch.images, batch.labels)
        learner.trained.add(losses, logits, batch.labels)
    learner.begin_testing(0)
    for batch in batches.test():
        learner.test(batch)
    assert len(trained) == batches.steps
    assert {tensor.device for tensor in learner.tensors().values()} == {GPU}
    assert losses.device == logits.device == GPU


def test_what_strays_or_asks_for_a_value_is_found(parts_on_gpu):
    learner, batches = parts_on_gpu("spatial_shuffle")
    batch = next(batches.test())
    with pytest.raises(DataDependentOutputException):
        learner.tested.read(Ranks())
    with pytest.raises(RuntimeError, match="cpu"):
        learner._forward(learner.network, batch.images.cpu(), batch.labels)
