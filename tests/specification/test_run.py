"""A specification survives its ways through JSON and the command line."""

import argparse

from hypothesis import given
from hypothesis import strategies as st

from spatialdep.specification.arguments import (
    add_specification_arguments,
    specification_from,
    to_arguments,
)
from spatialdep.specification.run import Recipe, RunSpecification

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
POSITIVE = st.integers(1, 10**6)
FACTORS = st.floats(0, 10, allow_nan=False)

recipes = st.builds(
    Recipe,
    name=NAMES,
    epochs=POSITIVE,
    batch_size=POSITIVE,
    learning_rate=FACTORS,
    schedule=st.sampled_from(["multistep", "one_cycle"]),
    milestones=st.lists(POSITIVE, max_size=3).map(tuple),
    nesterov=st.booleans(),
    precision=st.sampled_from(["bfloat16", "float32"]),
)
options = st.dictionaries(NAMES, st.booleans() | POSITIVE | NAMES, max_size=3)
specifications = st.builds(
    RunSpecification,
    dataset=NAMES,
    image_size=st.sampled_from([32, 64, 224]),
    architecture=NAMES,
    width=FACTORS,
    operation=NAMES,
    last_k=st.integers(0, 50),
    units=st.lists(NAMES, max_size=3).map(tuple),
    options=options.map(lambda given: tuple(sorted(given.items()))),
    recipe=recipes,
    seed=st.integers(0, 2**32 - 1),
)


@given(specifications)
def test_round_trips(specification: RunSpecification) -> None:
    assert RunSpecification.from_dict(specification.to_dict()) == specification
    parser = argparse.ArgumentParser()
    add_specification_arguments(parser)
    assert specification_from(parser.parse_args(to_arguments(specification))) == specification


def test_ids_are_readable_and_tell_switches_apart() -> None:
    run = RunSpecification(
        dataset="cifar100",
        image_size=32,
        architecture="vgg16",
        width=0.25,
        operation="patch_shuffle",
        options=(("patch", 4), ("per_image", True), ("shuffle_shortcut", False)),
        units=("conv41", "conv52"),
        recipe=Recipe(name="cifar", epochs=300),
        seed=3,
    )
    assert run.id == (
        "cifar100/cifar/vgg16-w0.25/patch_shuffle-patch_4-per_image-no_shuffle_shortcut/"
        "units-conv41+conv52/seed3"
    )
