"""Files that exist whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from spatialdep.errors import UserError


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary neighbour of ``path`` and rename it over ``path`` if the block succeeds.

    Parameters
    ----------
    path
        The file to write; its folder is made if it is missing.
    mode
        ``"w"`` for UTF-8 text (Unix newlines), ``"wb"`` for bytes.

    Raises
    ------
    UserError
        If the disk is full, a quota is spent, or the place cannot be written to.
    """
    target = Path(path)
    # Beside the target, since a rename is atomic inside one file system only.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open(mode, encoding=encoding, newline=newline) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS):
            raise UserError(
                f"{target} could not be written ({error.strerror}): "
                "make room or choose another place, then run the same command again."
            ) from error
        raise
