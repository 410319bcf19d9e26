"""Truncation: the network ends before the first modified unit, a control."""

from spatialdep.spatial_ops.operation import Operation

DECLARATION = {
    "summary": "The modified units are left out; pooling and head follow the unit before them.",
    "options": {},
    "architecture_options": [],
    "suffix_only": True,
    "random": False,
    "keeps_parameters": False,
}


class Truncated(Operation):
    """Leave out the units from the first modified one on.

    Source: the public code of Fan et al. 2020, arXiv 2002.01827.
    """

    drops_units = True


def operation() -> Operation:
    """Return what the architectures build modified units with."""
    return Truncated()
