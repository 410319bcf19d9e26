"""A copy of a prepared dataset on the node's own disk, made once and verified.

Unlike the rest of this room it reads the datasets' form, so planning does not import it.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from spatialdep.datasets.prepared import PreparedDataset, load_prepared
from spatialdep.errors import UserError

# Room left on the disk beside the copy, in bytes.
SPARE = 1 << 30


def stage(folder: Path, scratch: Path) -> Path:
    """Return a verified copy of the prepared dataset ``folder`` below ``scratch``.

    The first process of a node copies while the others wait; a copy that is there is used again.
    Its name carries the dataset's digests, so that data that were prepared anew are copied anew.

    Raises
    ------
    UserError
        If the disk cannot be written to or is too small, or a copy differs from its source.
    """
    source = load_prepared(folder)
    # The user's name, since everybody may write to a node's scratch folder.
    target = scratch / f"spatialdep-{os.getuid()}" / f"{source.name}-{_digest(source)[:16]}"
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(target.parent)
        with FileLock(f"{target}.lock"):
            if not target.exists():
                _copy(source, target)
    except OSError as error:
        raise UserError(
            f"{folder} could not be staged to {target} ({error.strerror or error}): choose another "
            "scratch in config/cluster.yaml, or remove the key to read the shared folder."
        ) from error
    return load_prepared(target).folder


def _digest(dataset: PreparedDataset) -> str:
    together = "".join(dataset.splits[split].digest for split in sorted(dataset.splits))
    return hashlib.sha256(together.encode()).hexdigest()


def _check_owner(folder: Path) -> None:
    """Refuse a folder that somebody else made: what lies in it is not to be trusted."""
    if folder.stat().st_uid != os.getuid():
        raise UserError(
            f"{folder} belongs to another user: choose another scratch in config/cluster.yaml."
        )


def _copy(source: PreparedDataset, target: Path) -> None:
    """Copy into a neighbour of ``target``, verify, and rename: a copy is whole or is not there."""
    files = [source.folder / "dataset.json", *sorted((source.folder / source.storage).iterdir())]
    size = sum(path.stat().st_size for path in files)
    free = shutil.disk_usage(target.parent).free
    if free < size + SPARE:
        raise UserError(
            f"{target.parent} has {free / 1e9:.1f} GB free, but {source.folder} needs "
            f"{(size + SPARE) / 1e9:.1f} GB: choose another scratch in config/cluster.yaml, or "
            "remove the key to read the shared folder."
        )
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for path in files:
            _copy_file(path, temporary / path.relative_to(source.folder))
        load_prepared(temporary).verify_digests()
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy_file(path: Path, copy: Path) -> None:
    """Copy a file (what a link points to) and read the copy back."""
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copy)
    with path.open("rb") as one, copy.open("rb") as other:
        same = hashlib.file_digest(one, "sha256").digest() == (
            hashlib.file_digest(other, "sha256").digest()
        )
    if not same:
        raise UserError(f"{copy} differs from {path} after copying: the node's disk is faulty.")
