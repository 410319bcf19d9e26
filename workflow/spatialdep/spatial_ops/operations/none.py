"""The baseline: nothing is modified."""

from spatialdep.spatial_ops.operation import Operation

DECLARATION = {
    "summary": "The plain network.",
    "options": {},
    "architecture_options": [],
    "suffix_only": False,
    "random": False,
    "keeps_parameters": True,
}


def operation() -> Operation:
    """Return the operation that changes nothing."""
    return Operation()
