"""What can be seen of a GPU without one: all tensors are on it, and nothing asks it for a value.

torch's fake tensors have a device but no memory. They refuse to be mixed with those of another
device, and to tell a value, for which a GPU would have to be waited for. They have no gradients on
a GPU that is not there, so whole steps are taken on the processor and their operators looked at:
torch marks those whose outcome the host must see. The rest is for ``test_training_cuda.py``.
"""

import pytest
import torch

# Imported later, it would meet the stand-in for torch.Generator.
import torch._dynamo
from runs import make_training, specification
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from spatialdep.datasets.prepared import load_prepared
from spatialdep.plugins import declarations
from spatialdep.specification.settings import OPERATIONS
from spatialdep.training.distributed import Ranks
from spatialdep.training.learner import Learner
from spatialdep.training.network import initial_network
from spatialdep.training.setup import make_batches

GPU = torch.device("cuda", 0)
SEEN_BY_THE_HOST = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}

every_operation = pytest.mark.parametrize("operation", sorted(declarations(OPERATIONS)))


def run_of(operation):
    changes = {"operation": operation, "last_k": 0 if operation == "none" else 7}
    if operation == "patch_shuffle":
        changes["options"] = (("patch", 2),)
    return specification(changes, precision="float32")


class Operators(TorchDispatchMode):
    """Notes the operators that are called."""

    def __init__(self):
        super().__init__()
        self.called = set()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.called.add(operator)
        return operator(*args, **(kwargs or {}))

    def seen_by_the_host(self):
        return {operator for operator in self.called if SEEN_BY_THE_HOST & set(operator.tags)}


@pytest.fixture
def parts_on_gpu(data, monkeypatch):
    """Return a function from an operation to its learner and batches, on a GPU not there."""
    dataset = load_prepared(data)
    generator = torch.Generator
    mode = FakeTensorMode(allow_non_fake_inputs=True)

    def parts(operation):
        run = run_of(operation)
        network = initial_network(run, dataset.classes)
        # Those of a GPU cannot be made without one.
        monkeypatch.setattr(torch, "Generator", lambda device="cpu": generator())
        mode.__enter__()
        learner = Learner(network, run, GPU, Ranks())
        return learner, make_batches(run, dataset, GPU, Ranks(), workers=0)

    yield parts
    mode.__exit__(None, None, None)


@every_operation
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


@every_operation
def test_the_host_need_not_see_what_a_step_comes_to(data, tmp_path, operation):
    training = make_training(run_of(operation), data, tmp_path)
    learner = training._learner
    learner.begin_training(0)
    batch = next(iter(training._batches.train(0, 0)))
    with Operators() as operators:
        learner.train(batch, 0.1)
    assert torch.ops.aten.convolution_backward.default in operators.called
    assert not operators.seen_by_the_host()
    with operators:
        learner.optimiser.rate.item()
        learner.tested.sums.nonzero()
    assert len(operators.seen_by_the_host()) == 2
