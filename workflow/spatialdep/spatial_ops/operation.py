"""What an architecture asks an operation for when it builds a modified unit.

An operation's file offers ``operation(**options)``, which returns an :class:`Operation`. An
architecture knows nothing else of it, so that either can be added without touching the other.
"""

from collections.abc import Callable

from torch import nn


class Operation:
    """Builds the parts of a modified unit; this one changes nothing and is the baseline.

    Attributes
    ----------
    one_position
        Maps have a single position from here on, so that strides and poolings have no meaning.
    drops_units
        Modified units are left out altogether.
    """

    one_position = False
    drops_units = False

    def entry(self) -> nn.Module | None:
        """Return what happens once, to the input of the first modified unit."""
        return None

    def before(self, channels: int, height: int, width: int) -> nn.Module | None:
        """Return what happens to the input ``(N, channels, height, width)`` of a convolution.

        It is asked anew for every convolution and every shortcut, so each has its own.
        """
        return None

    def layer(self, convolution: nn.Conv2d) -> nn.Module:
        """Return what replaces ``convolution``, from ``(N, C, H, W)`` to ``(N, C', H', W')``."""
        return convolution

    def norm(self, channels: int) -> nn.Module:
        """Return the normalisation after :meth:`layer`."""
        return nn.BatchNorm2d(channels)


class Rearrangement(Operation):
    """An operation that moves elements of a convolution's input and leaves its weights alone.

    Parameters
    ----------
    module
        Makes the module that moves them from ``(channels, height, width)`` of the input.
    """

    def __init__(self, module: Callable[[int, int, int], nn.Module]) -> None:
        self._module = module

    def before(self, channels: int, height: int, width: int) -> nn.Module | None:
        """Return a module of its own for every convolution and every shortcut."""
        return self._module(channels, height, width)
