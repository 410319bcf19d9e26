"""Which results are stale, and why, in words; judged by their stamps alone.

Snakemake compares time stamps and what it remembers in ``.snakemake``. Neither survives a copy, a
checkout or a crash, so the verdict here rests on the contents of files: a result is fresh if its
stamp names the code, pins, configuration and input digests that hold now, and its files are as they
were written.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialdep.errors import UserError
from spatialdep.provenance.code import CodeVersion, Selection, code_version
from spatialdep.provenance.environment import pinned_versions
from spatialdep.provenance.files import FileDigest, read_digests, state_of, write_digests
from spatialdep.provenance.stamp import Stamp, read_stamp


@dataclass(frozen=True)
class Expectation:
    """What the stamp of a job's result must say for the result to count now."""

    stamp: Path
    command: str
    selection: Selection
    configuration: Mapping[str, Any]
    inputs: Mapping[str, Path]


class Ledger:
    """Judges results, reading each stamp once and no file whose stamp vouches for it.

    Parameters
    ----------
    remembered
        A file that keeps the digests of files whose modification time differs from their stamp's,
        as after a copy, so that they are read once and not at every planning.
    """

    def __init__(self, remembered: Path) -> None:
        self._remembered_at = remembered
        self._remembered = {Path(name): known for name, known in read_digests(remembered).items()}
        self._vouched: dict[Path, FileDigest] = {}
        self._stamps: dict[Path, Stamp | None] = {}
        self._changed = False

    def reasons(self, expected: Expectation) -> list[str]:
        """Say why the result of ``expected`` must be made anew; empty if it is fresh."""
        stamp = self.stamp(expected.stamp)
        if stamp is None:
            return ["not made yet"]
        return [
            *self._altered_outputs(expected.stamp, stamp),
            *_code_reasons(stamp, code_version(expected.command, expected.selection)),
            *_environment_reasons(stamp, expected),
            *configuration_reasons(stamp.configuration, expected.configuration),
            *self._input_reasons(stamp, expected.inputs),
        ]

    def stamp(self, path: Path) -> Stamp | None:
        """Return the stamp at ``path``, or None if there is none that can be read."""
        if path not in self._stamps:
            try:
                stamp = read_stamp(path)
            except UserError:
                # Unfinished or foreign: either way there is no result that counts.
                self._stamps[path] = None
            else:
                self._stamps[path] = stamp
                self._vouched |= {path.parent / name: stamp.output(name) for name in stamp.outputs}
        return self._stamps[path]

    def save(self) -> None:
        """Keep what was learnt about files for the next planning."""
        if self._changed:
            write_digests(self._remembered_at, self._remembered)
            self._changed = False

    def altered(self, path: Path, known: FileDigest) -> bool:
        """Whether a file or folder is there and holds something else than ``known`` says."""
        self._vouched[path] = known
        return self._sha256(path) not in (None, known.sha256)

    def _sha256(self, path: Path) -> str | None:
        """Return the digest of a file, None if it is missing; reads it only if it has changed."""
        try:
            state = state_of(path)
        except FileNotFoundError:
            return None
        for known in (self._vouched.get(path), self._remembered.get(path)):
            if known is not None and known.looks_unchanged(state):
                return known.sha256
        self._remembered[path] = FileDigest.of(path)
        self._changed = True
        return self._remembered[path].sha256

    def _altered_outputs(self, path: Path, stamp: Stamp) -> Iterator[str]:
        for name in stamp.outputs:
            found = self._sha256(path.parent / name)
            if found is None:
                yield f"{path.parent / name} is missing"
            elif found != stamp.output(name).sha256:
                yield f"{path.parent / name} was altered after it was made"

    def _input_reasons(self, stamp: Stamp, inputs: Mapping[str, Path]) -> Iterator[str]:
        for name in sorted(stamp.inputs.keys() - inputs.keys()):
            yield f"no longer made from {name}"
        for name, path in inputs.items():
            if name not in stamp.inputs:
                yield f"now also made from {name}"
            elif (found := self._sha256(path)) != stamp.inputs[name]:
                yield f"its input {path} {'is missing' if found is None else 'has other contents'}"


def configuration_reasons(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Name the keys in which two configurations differ: ``"recipe.epochs 300 → 200"``."""
    if _canonical(old) == _canonical(new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            below = f"{key}.{name}" if key else name
            if name not in new:
                yield f"{below} removed (was {_shown(old[name])})"
            elif name not in old:
                yield f"{below} added ({_shown(new[name])})"
            else:
                yield from configuration_reasons(old[name], new[name], below)
    else:
        yield f"{key} {_shown(old)} → {_shown(new)}"


def _code_reasons(stamp: Stamp, now: CodeVersion) -> Iterator[str]:
    if stamp.code["version"] == now.version:
        return
    old: dict[str, dict[str, str]] = stamp.code["files"]
    named = False
    for module in sorted(old.keys() | now.files.keys()):
        before, after = old.get(module), now.files.get(module)
        if before == after:
            continue
        named = True
        file = module_path(module)
        if before is None or after is None:
            yield f"{file} {'is used now' if before is None else 'is no longer used'}"
            continue
        for definition in sorted(before.keys() | after.keys()):
            if before.get(definition) != after.get(definition):
                yield f"{file}: {definition} {_change(definition, before, after)}"
    if not named:
        yield "the order of definitions changed"


def _change(definition: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if definition not in before:
        return "added"
    return "changed" if definition in after else "removed"


def _environment_reasons(stamp: Stamp, expected: Expectation) -> Iterator[str]:
    code = code_version(expected.command, expected.selection)
    now = pinned_versions(code.third_party)
    for name in sorted(stamp.environment.keys() | now.keys()):
        old, new = stamp.environment.get(name, "unused"), now.get(name, "unused")
        if old != new:
            yield f"{name} {old} → {new}"


def module_path(module: str) -> str:
    """Return a module's path inside the package as people say it: ``spatial_ops/shuffle.py``."""
    return "/".join(module.split(".")[1:]) + ".py" if "." in module else "__init__.py"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else _canonical(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
