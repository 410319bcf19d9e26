"""Signals by which a scheduler or a person asks a training to stop."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

STATUS = os.EX_TEMPFAIL
"""Exit status of a training that was asked to stop and saved a checkpoint: 75, "try again"."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Stopped(Exception):  # noqa: N818 - no error: the run goes on when it is started again
    """The training was asked to stop, and a checkpoint has been saved."""


class StopRequest:
    """Notes, while entered, that SIGTERM, SIGUSR1 or SIGINT came, so that a step can be finished.

    A second SIGINT interrupts at once, as usual.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)
