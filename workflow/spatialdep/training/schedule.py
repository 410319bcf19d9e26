"""The learning rate as a function of how far the training has come, and of nothing else.

torch's schedulers are objects with a history that need an ``Optimizer``; a function can be asked
for any step, which is all that a resumed run needs. The tests hold the two together.
"""

import math
from bisect import bisect_right

from spatialdep.specification.run import Recipe

# torch.optim.lr_scheduler.OneCycleLR's defaults, without its cycling of the momentum.
WARM_UP = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4


def learning_rate(recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    recipe
        ``multistep`` multiplies by ``gamma`` after each of ``milestones`` epochs; ``one_cycle``
        rises and falls along half cosines, step by step.
    epoch, step
        Counted from 0, the step within the epoch.
    steps
        Steps in an epoch.
    """
    if recipe.schedule == "multistep":
        return recipe.learning_rate * recipe.gamma ** bisect_right(sorted(recipe.milestones), epoch)
    return _one_cycle(recipe.learning_rate, epoch * steps + step, recipe.epochs * steps)


def _one_cycle(peak: float, step: int, steps: int) -> float:
    """Source: Smith and Topin 2018, arXiv 1708.07120."""
    start = peak / START_DIVISOR
    top = max(WARM_UP * steps - 1, 0.0)
    if step <= top:
        return _cosine(start, peak, step / top if top else 1.0)
    return _cosine(peak, start / END_DIVISOR, (step - top) / (steps - 1 - top))


def _cosine(first: float, last: float, part: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2
