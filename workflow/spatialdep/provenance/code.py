"""The version of the code that a job uses: the import closure of its command and plug-ins."""

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spatialdep import CHANGED_AT
from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE
from spatialdep.provenance.source_files import read_source
from spatialdep.provenance.syntax import SourceFile

ROOT_MODULE = "spatialdep"

Selection = Iterable[tuple[str, str]]
"""The plug-ins that a job's specification picks: pairs of room and name."""


@dataclass(frozen=True)
class CodeVersion:
    """The code behind a result.

    ``files`` maps each module of the closure to its definitions' hashes, so that two versions can
    be compared function by function without either's source. ``third_party`` names the packages
    outside the standard library that these modules import.
    """

    version: str
    files: dict[str, dict[str, str]]
    third_party: frozenset[str]


def code_version(command: str, selection: Selection = ()) -> CodeVersion:
    """Return the version of the code that ``command`` runs with the plug-ins of ``selection``.

    Parameters
    ----------
    command
        Name of a module in ``spatialdep.commands``, such as ``"train"``.
    selection
        Pairs of room and name, as :func:`spatialdep.plugins.load` takes them.

    Raises
    ------
    UserError
        If a file of the closure is missing or is not valid Python.
    """
    return _code_version(command, tuple(sorted(set(selection))))


def loaded_modules() -> set[str]:
    """Return the modules of the package that this process has imported so far."""
    return {
        name for name in sys.modules if name == ROOT_MODULE or name.startswith(f"{ROOT_MODULE}.")
    }


def changed_since_start(modules: Iterable[str]) -> list[Path]:
    """Return the files of modules that were changed after this process began to load them."""
    paths = (module_file(name) for name in sorted(modules))
    return [path for path in paths if path and path.stat().st_mtime_ns != CHANGED_AT.get(path)]


@cache
def _code_version(command: str, selection: tuple[tuple[str, str], ...]) -> CodeVersion:
    roots = [f"{ROOT_MODULE}.commands.{command}"]
    roots += [f"{ROOT_MODULE}.{room}.{name}" for room, name in selection]
    modules: dict[str, SourceFile] = {}
    for root in roots:
        if module_file(root) is None:
            raise UserError(f"{root} does not exist, so there is no code to give a version to.")
        _add_with_imports(root, modules)
    versions = {name: file.version for name, file in sorted(modules.items())}
    return CodeVersion(
        version=hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:16],
        files={name: file.definitions for name, file in sorted(modules.items())},
        third_party=frozenset(_third_party(modules.values())),
    )


def _add_with_imports(module: str, found: dict[str, SourceFile]) -> None:
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        file = _source(name)
        if file is None:
            # A member that was imported by name, such as a function: its module is listed too.
            continue
        found[name] = file
        # Importing a module runs its parents first.
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += [item for item in found[name].imports if _is_own(item)]


@cache
def _source(module: str) -> SourceFile | None:
    path = module_file(module)
    return None if path is None else read_source(path, module)


def module_file(module: str) -> Path | None:
    """Return the file of a module of the package, or None if there is none of that name."""
    inside = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (inside / "__init__.py", inside.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _is_own(name: str) -> bool:
    return name.partition(".")[0] == ROOT_MODULE


def _third_party(files: Iterable[SourceFile]) -> set[str]:
    names = {name.partition(".")[0] for file in files for name in file.imports}
    return {name for name in names - {ROOT_MODULE} if name not in sys.stdlib_module_names}
