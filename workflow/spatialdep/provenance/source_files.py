"""What the modules of the package mean, remembered between plannings.

Parsing them all takes a tenth of a planning. What is remembered goes by contents, the text of the
parser among them, so that no touch, copy or checkout can make it wrong.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE
from spatialdep.provenance.syntax import SourceFile, parse

PARSER = PACKAGE / "provenance" / "syntax.py"

# By digests of what they depend on: what an earlier planning has left, and what this one has read.
_recalled: dict[str, SourceFile] = {}
_read: dict[str, SourceFile] = {}


@cache
def read_source(path: Path, module: str) -> SourceFile:
    """Read the file of ``module``.

    Raises
    ------
    UserError
        If the file is missing or is not valid Python.
    """
    try:
        source = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist, though {module} is imported.") from error
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    key = hashlib.sha256(b"\0".join((_parser(), package.encode(), source))).hexdigest()
    if key in _recalled:
        _read[key] = _recalled[key]
    elif key not in _read:
        try:
            _read[key] = parse(source, package)
        except SyntaxError as error:
            raise UserError(
                f"{path}, line {error.lineno}: {error.msg}; mend the file and run again."
            ) from error
    return _read[key]


def recall(path: Path) -> None:
    """Take over what :func:`remember` wrote; nothing where there is nothing that can be read."""
    try:
        for key, file in json.loads(path.read_text(encoding="utf-8")).items():
            _recalled[key] = SourceFile(
                version=str(file["version"]),
                definitions=dict(file["definitions"]),
                imports=frozenset(file["imports"]),
            )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # It only spares parsing again.
        return


def remember(path: Path) -> None:
    """Keep what was read here for the next planning, unless all of it was recalled."""
    if _read.keys() <= _recalled.keys():
        return
    whole = {key: {**vars(file), "imports": sorted(file.imports)} for key, file in _read.items()}
    with atomic_write(path) as stream:
        json.dump(whole, stream)


@cache
def _parser() -> bytes:
    return PARSER.read_bytes()
