"""One process a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from spatialdep.errors import UserError
from spatialdep.training.report import say


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the run whose checkpoints are in ``folder``, after waiting for whoever holds it.

    The system releases the lock when its holder ends, however it ends.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"another process trains this run and holds {lock.lock_file}: waiting for it")
            lock.acquire(poll_interval=1)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be used for checkpoints ({error.strerror}): choose a folder that can "
            "be written to with --checkpoints."
        ) from error
    with lock:
        try:
            yield
        finally:
            lock.release()
