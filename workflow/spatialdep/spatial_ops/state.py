"""Weights of one network for another that differs only in what is shuffled."""

from collections.abc import Mapping

from torch import Tensor, nn

# The buffer of a shuffle drawn once: part of a network's state, but not of its weights.
FIXED_PERMUTATION = "fixed_permutation"


def load_weights(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load ``state`` into ``network``, of which only the shuffles may differ from its origin.

    Fixed permutations are loaded where both have them, left as drawn where only ``network`` has
    them, and ignored where only ``state`` has them. All else must match.

    Raises
    ------
    ValueError
        If any parameter or statistic is missing or superfluous.
    RuntimeError
        If a shape differs (from ``load_state_dict``).
    """
    missing, unexpected = network.load_state_dict(state, strict=False)
    wrong = [key for key in (*missing, *unexpected) if key.split(".")[-1] != FIXED_PERMUTATION]
    if wrong:
        raise ValueError(f"the weights are of another network: {', '.join(wrong[:5])} do not match")
