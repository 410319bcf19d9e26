"""Runs of networks so narrow that they take no time, and how many test images they get."""

from spatialdep.specification.run import Recipe, RunSpecification

# Neither 100 nor 64 divides it.
IMAGES = 230


def specification(operation: str = "none", **changes: object) -> RunSpecification:
    """Describe a VGG-16 so narrow that it takes no time."""
    usual = {
        "dataset": "noise",
        "image_size": 32,
        "architecture": "vgg16",
        "width": 1 / 16,
        "operation": operation,
        "recipe": Recipe(name="test", epochs=1),
    }
    return RunSpecification(**{**usual, **changes})
