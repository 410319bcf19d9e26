"""What is recorded, set back and replayed around a CUDA graph, with a stand-in for the graph.

The stand-in calls again what was called while it recorded, on the processor. That a real graph does
so on a GPU is for ``test_training_cuda.py`` to show.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from runs import assert_same, make_training, specification

from spatialdep.training import cuda_graph, learner


class GraphStandIn:
    """Replays by calling again."""

    recording = None

    def __init__(self):
        self.calls = []
        self.generators = []
        self.replays = 0

    def register_generator_state(self, generator):
        self.generators.append(generator)

    def replay(self):
        self.replays += 1
        for function, inputs in self.calls:
            function(*inputs)


@pytest.fixture
def graphs(monkeypatch):
    """Let trainings capture stand-ins, and return those made."""
    made = []

    def new_graph():
        made.append(GraphStandIn())
        return made[-1]

    @contextmanager
    def record(graph, stream):
        GraphStandIn.recording = graph
        yield
        GraphStandIn.recording = None

    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, stand_in in {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda other: nullcontext(),
        "CUDAGraph": new_graph,
        "graph": record,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)

    def capture(function, inputs, **rest):
        def noted(*given):
            if GraphStandIn.recording:
                GraphStandIn.recording.calls.append((function, given))
            function(*given)

        return cuda_graph.capture(noted, inputs, **rest)

    monkeypatch.setattr(learner, "capture", capture)
    return made


@pytest.mark.parametrize("operation", ["none", "spatial_shuffle", "gap_fc"])
def test_capturing_changes_nothing(data, tmp_path, graphs, operation):
    """Trial calls leave no trace, and each size of batch is replayed with its own images."""
    run = specification({"operation": operation, "last_k": 0 if operation == "none" else 4})
    eager = make_training(run, data, tmp_path / "eager").finish()
    assert not graphs
    captured = make_training(run, data, tmp_path / "captured", graph=True).finish()
    assert_same(captured, eager)
    # Whole and last batches of training and testing, in each of the epochs.
    assert sorted(graph.replays for graph in graphs) == sorted(
        run.recipe.epochs * steps for steps in batches_by_size(run, data, tmp_path)
    )


def batches_by_size(run, data, place):
    """Return how often an epoch has each size of batch, in training and in testing."""
    training = make_training(run, data, place / "unused")
    training._learner.begin_training(0)
    for batches in (training._batches.train(0, 0), training._batches.test()):
        sizes = [len(batch.labels) for batch in batches]
        yield from (sizes.count(size) for size in set(sizes))


def test_a_graph_draws_from_the_shuffles_streams(data, tmp_path, graphs):
    training = make_training(specification(epochs=1), data, tmp_path, graph=True)
    training.finish()
    streams = list(training._learner._shuffles.values())
    assert graphs
    assert all(len(graph.generators) == 1 for graph in graphs)
    assert all(graph.generators[0] in streams for graph in graphs)
