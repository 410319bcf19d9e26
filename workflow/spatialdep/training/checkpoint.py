"""Unfinished training on disk: written whole or not at all, read only if it is what was written.

A checkpoint is one safetensors file (which cannot run code), named
``epoch{e}-step{s}-{digest}.safetensors`` after the position that it goes on from and the SHA-256 of
its bytes. So a damaged file gives itself away, and no second file can be out of step with it.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from spatialdep.atomic import atomic_write
from spatialdep.training.history import EpochRecord
from spatialdep.training.report import say

FORMAT = 1
KEPT = 2
NAME = re.compile(r"epoch(\d{5})-step(\d{8})-([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """Where a run was, and all that its future depends on.

    Attributes
    ----------
    epoch, step
        The next step, both counted from 0. A step behind the epoch's last one means that its test
        is still to do.
    seconds
        Training time already spent in this epoch.
    history
        The finished epochs.
    tensors
        State by name; :class:`~spatialdep.training.loop.Training` knows what they are.
    """

    epoch: int
    step: int
    seconds: float
    history: tuple[EpochRecord, ...]
    tensors: dict[str, Tensor]


class CheckpointFolder:
    """The checkpoints of one run, of which the last two are kept.

    Parameters
    ----------
    folder
        Made when it is first needed.
    fingerprint
        Hash of code, environment, configuration and inputs; a checkpoint with another is foreign.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def save(self, checkpoint: Checkpoint) -> None:
        """Write ``checkpoint``; the older ones go only when it is safely there.

        Raises
        ------
        UserError
            If the disk is full.
        """
        facts = {
            "format": FORMAT,
            "fingerprint": self._fingerprint,
            "epoch": checkpoint.epoch,
            "step": checkpoint.step,
            "seconds": checkpoint.seconds,
            "history": [asdict(record) for record in checkpoint.history],
        }
        content = safetensors.torch.save(
            {name: tensor.cpu().contiguous() for name, tensor in checkpoint.tensors.items()},
            # One entry alone: safetensors writes several in any order.
            metadata={"facts": json.dumps(facts)},
        )
        digest = hashlib.sha256(content).hexdigest()
        name = f"epoch{checkpoint.epoch:05}-step{checkpoint.step:08}-{digest}.safetensors"
        with atomic_write(self._folder / name, "wb") as stream:
            stream.write(content)
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def load(self) -> Iterator[tuple[Path, Checkpoint]]:
        """Yield the usable checkpoints, the newest first; others are said and set aside."""
        for path in self._newest_first():
            try:
                checkpoint = self._read(path)
            except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
                self.set_aside(path, str(error))
            else:
                yield path, checkpoint

    def set_aside(self, path: Path, reason: str) -> None:
        """Rename a checkpoint that cannot be used, and say so."""
        aside = path.with_name(f"{path.name}.unusable")
        path.replace(aside)
        say(f"checkpoint {path.name} is not used ({reason}); kept as {aside}")

    def clear(self) -> None:
        """Remove the checkpoints of a finished run, and what a killed process left half-written."""
        if self._folder.is_dir():
            for path in (*self._newest_first(), *self._folder.glob(".epoch*")):
                path.unlink(missing_ok=True)
            if not any(self._folder.iterdir()):
                self._folder.rmdir()

    def _newest_first(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        paths = [path for path in self._folder.iterdir() if NAME.fullmatch(path.name)]
        return sorted(paths, key=lambda path: path.name.rpartition("-")[0], reverse=True)

    def _read(self, path: Path) -> Checkpoint:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() not in path.name:
            raise ValueError("truncated or altered: its digest is not that in its name")
        facts = self._facts(content)
        return Checkpoint(
            epoch=facts["epoch"],
            step=facts["step"],
            seconds=facts["seconds"],
            history=tuple(EpochRecord(**record) for record in facts["history"]),
            tensors=safetensors.torch.load(content),
        )

    def _facts(self, content: bytes) -> dict[str, Any]:
        length = int.from_bytes(content[:8], "little")
        facts: dict[str, Any] = json.loads(
            json.loads(content[8 : 8 + length])["__metadata__"]["facts"]
        )
        if facts["format"] != FORMAT:
            raise ValueError(f"of format {facts['format']}, not {FORMAT}")
        if facts["fingerprint"] != self._fingerprint:
            raise ValueError(f"of another code or configuration, {facts['fingerprint']}")
        return facts


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write parameters and buffers by name as safetensors, the same bytes for the same values.

    Raises
    ------
    UserError
        If the disk is full.
    """
    content = safetensors.torch.save({name: w.cpu().contiguous() for name, w in weights.items()})
    with atomic_write(path, "wb") as stream:
        stream.write(content)
