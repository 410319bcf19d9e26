"""Bringing a file here, going on where an earlier attempt stopped.

urllib, since the libraries that download with a checksum (pooch, torch.hub, torchvision) start
from nothing when a connection breaks.
"""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from spatialdep.datasets.checksums import Checksum
from spatialdep.errors import UserError

_ATTEMPTS = 5
_TIMEOUT_S = 60
_CHUNK_BYTES = 1 << 18


class _BrokenConnectionError(Exception):
    """The connection broke; what has arrived is kept."""


def link(path: Path, target: Path) -> None:
    """Make ``target`` a symbolic link to a local file: nothing is copied.

    Raises
    ------
    UserError
        If ``path`` is no file.
    """
    if not path.is_file():
        raise UserError(
            f"{path} {'is not a file' if path.exists() else 'does not exist'}: "
            "correct the path in the configuration."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.symlink_to(path.resolve())
    temporary.replace(target)


def download(url: str, target: Path, checksum: Checksum) -> None:
    """Download ``url`` to ``target``, which appears only once its checksum is right.

    What has arrived is kept in ``{target}.part``; a later call asks the server for the rest.

    Raises
    ------
    UserError
        If the server refuses, the network fails five times, or the checksum is wrong; in the last
        case the file is deleted, so that the next call starts from nothing.
    """
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _receive(url, part)
            break
        except _BrokenConnectionError as error:
            if attempt == _ATTEMPTS:
                raise UserError(
                    f"{url} could not be downloaded ({error}): check the network, or state the "
                    "path of a copy in the configuration; the same command goes on from the "
                    f"{part.stat().st_size if part.exists() else 0} bytes in {part}."
                ) from error
            time.sleep(min(2**attempt, 30) if attempt > 1 else 0.2)
    try:
        checksum.check(part, f"{url} is damaged or another file, and was deleted here.")
    except UserError:
        part.unlink()
        raise
    part.replace(target)


def _receive(url: str, part: Path) -> None:
    """Append to ``part`` until it is as long as the server says the file is."""
    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
            if offset and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                offset = 0  # This server only sends whole files.
            _append(response, part, offset)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{offset}":
                return  # All of it had arrived.
            part.unlink()
            raise _BrokenConnectionError(
                "the part that was there is longer than the file"
            ) from error
        if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise _BrokenConnectionError(f"status {error.code} {error.reason}") from error
        raise UserError(
            f"{url} was refused by the server ({error.code} {error.reason}): "
            "correct the URL in the configuration, or state the path of a copy."
        ) from error
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise _BrokenConnectionError(
            str(getattr(error, "reason", error) or type(error).__name__)
        ) from error
    except ValueError as error:
        raise UserError(f"{url!r} is not a URL that can be downloaded: {error}.") from error


def _append(response: http.client.HTTPResponse, part: Path, offset: int) -> None:
    length = response.headers.get("Content-Length")
    total = None if length is None else offset + int(length)
    span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    if span is not None and int(span[1]) != offset:
        part.unlink(missing_ok=True)
        raise _BrokenConnectionError("the server sent another part than was asked for")
    with (
        part.open("r+b" if offset else "wb") as stream,
        tqdm(
            total=total,
            initial=offset,
            desc=f"downloading {part.stem}",
            unit="B",
            unit_scale=True,
            mininterval=1,
        ) as progress,
    ):
        stream.seek(offset)
        while chunk := response.read(_CHUNK_BYTES):
            stream.write(chunk)
            progress.update(len(chunk))
        received = stream.tell()
    # The http module takes a connection that closes early for the end of the file.
    if total is not None and received < total:
        raise _BrokenConnectionError(f"the connection broke after {received} of {total} bytes")
