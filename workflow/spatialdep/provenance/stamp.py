"""The stamp that each result carries: what it was made from, with which code, where and when.

Snakemake's own records live in ``.snakemake`` and are lost with it; a stamp travels with its
result. A job writes it last, so a result without a stamp is unfinished, and whoever reads a result
verifies its stamp first.
"""

import hashlib
import json
import os
import platform
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import spatialdep
from spatialdep import plugins
from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError
from spatialdep.provenance.code import (
    CodeVersion,
    Selection,
    changed_since_start,
    code_version,
    loaded_modules,
)
from spatialdep.provenance.environment import check_installed, pinned_versions
from spatialdep.provenance.files import FileDigest

FORMAT = 1


@dataclass(frozen=True)
class Stamp:
    """The contents of a ``stamp.json``; the columns are described in ``results/README.md``."""

    format: int
    command: str
    selection: list[list[str]]
    code: dict[str, Any]
    environment: dict[str, str]
    configuration: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, dict[str, Any]]
    host: str
    device: str
    python: str
    package: str
    started: str
    ended: str
    seconds: float

    def output(self, name: str) -> FileDigest:
        """Return the digest that the file ``name`` beside the stamp had when it was written."""
        return FileDigest.from_dict(self.outputs[name])


class Job:
    """A command at work: knows what it began with, and writes the stamp when it is done."""

    def __init__(
        self,
        command: str,
        selection: Selection,
        configuration: dict[str, Any],
        inputs: Mapping[str, Path],
    ) -> None:
        self._command = command
        self._selection = sorted(set(selection))
        self._configuration = json.loads(json.dumps(configuration, sort_keys=True))
        self._code = code_version(command, self._selection)
        self._environment = pinned_versions(self._code.third_party)
        check_installed(self._environment)
        for room, name in self._selection:
            plugins.load(room, name)
        # What is loaded now was loaded as it was hashed, and may be edited from here on.
        self._loaded = loaded_modules()
        self._check_unchanged(self._loaded)
        self._inputs = {name: _sha256(path) for name, path in inputs.items()}
        self._started = time.time()

    @property
    def fingerprint(self) -> str:
        """Hash of code, environment, configuration and inputs: the name of unfinished work."""
        return fingerprint(self._code, self._environment, self._configuration, self._inputs)

    def finish(self, path: Path, outputs: Iterable[Path], device: str = "cpu") -> None:
        """Write the stamp at ``path`` for ``outputs``, which must be complete.

        Raises
        ------
        UserError
            If the process ran a module of the package that its code version does not cover, or
            that was edited before it was loaded.
        """
        hidden = loaded_modules() - set(self._code.files)
        if hidden:
            raise UserError(
                f"{self._command} ran {', '.join(sorted(hidden))}, which its code version does not "
                "cover: import it statically, or name its plug-in in the job's selection."
            )
        self._check_unchanged(loaded_modules() - self._loaded)
        ended = time.time()
        stamp = Stamp(
            format=FORMAT,
            command=self._command,
            selection=[list(pair) for pair in self._selection],
            code={"version": self._code.version, "files": self._code.files},
            environment=self._environment,
            configuration=self._configuration,
            inputs=self._inputs,
            outputs={
                os.path.relpath(output, path.parent): FileDigest.of(output).to_dict()
                for output in outputs
            },
            host=socket.gethostname(),
            device=device,
            python=platform.python_version(),
            package=spatialdep.__version__,
            started=_utc(self._started),
            ended=_utc(ended),
            seconds=round(ended - self._started, 3),
        )
        with atomic_write(path) as stream:
            json.dump(asdict(stamp), stream, indent=1)
            stream.write("\n")

    def _check_unchanged(self, modules: set[str]) -> None:
        """Refuse modules whose files may be others than were loaded."""
        for path in changed_since_start(modules):
            raise UserError(
                f"{path} was edited while {self._command} loaded its code: "
                "run the same command again."
            )


def begin(
    command: str,
    *,
    selection: Selection = (),
    configuration: dict[str, Any],
    inputs: Mapping[str, Path],
) -> Job:
    """Start a job: hash its inputs and its code before anything is computed.

    Parameters
    ----------
    command
        Name of the module in ``spatialdep.commands``.
    selection
        The plug-ins which the job's specification picks, as (room, name).
    configuration
        All that the configuration says about this job, and nothing else; JSON types only.
    inputs
        The files that the result depends on, by a name that stays the same between runs.

    Raises
    ------
    UserError
        If an installed package differs from its pin, an input is missing, or the code was edited
        since the process began to load it.
    """
    return Job(command, selection, configuration, inputs)


def fingerprint(
    code: CodeVersion,
    environment: Mapping[str, str],
    configuration: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> str:
    """Hash everything that a result is a function of."""
    whole = [code.version, dict(environment), dict(configuration), dict(inputs)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def read_stamp(path: Path) -> Stamp:
    """Read the stamp at ``path``.

    Raises
    ------
    UserError
        If there is none, or if it is not one of this format.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["format"] != FORMAT:
            raise ValueError(f"format {whole['format']}")
        return Stamp(**whole)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing, so the results beside it are unfinished or foreign: "
            f"make them with `snakemake {path}`."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a stamp of format {FORMAT} ({error}): "
            f"delete it and run `snakemake {path}`."
        ) from error


def verify(path: Path, outputs: Iterable[str] | None = None) -> Stamp:
    """Check that results were made by the present code and are as they were written.

    Parameters
    ----------
    path
        The stamp.
    outputs
        Names of the files beside it that will be read; all by default.

    Raises
    ------
    UserError
        Names the stale or altered file and the command that makes it anew.
    """
    stamp = read_stamp(path)
    mend = f"make it anew with `snakemake --forcerun {path} -- {path}`"
    code = code_version(stamp.command, [(room, name) for room, name in stamp.selection])
    if code.version != stamp.code["version"]:
        raise UserError(f"{path} is stale, its code has changed since: {mend}.")
    if pinned_versions(code.third_party) != stamp.environment:
        raise UserError(f"{path} is stale, a package it uses has another pin now: {mend}.")
    for name in stamp.outputs if outputs is None else outputs:
        output = path.parent / name
        if name not in stamp.outputs:
            raise UserError(f"{path} does not speak of {name}: {mend}.")
        if not output.is_file():
            raise UserError(f"{output} is missing: {mend}.")
        if FileDigest.of(output).sha256 != stamp.output(name).sha256:
            raise UserError(f"{output} was altered after it was made: {mend}.")
    return stamp


def _sha256(path: Path) -> str:
    try:
        return FileDigest.of(path).sha256
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: make it with `snakemake {path}`.") from error


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
