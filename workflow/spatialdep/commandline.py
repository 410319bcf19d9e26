"""How every command ends: with its own status, or with one sentence."""

import sys
from collections.abc import Callable, Sequence

from spatialdep.errors import UserError


def run(main: Callable[[Sequence[str] | None], int]) -> None:
    """Call ``main(None)`` and exit: its status, or 1 and one line for a :class:`UserError`."""
    try:
        sys.exit(main(None))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
