"""The one place where a module is imported by a name known only at run time.

A plug-in is a file in one of the rooms below. Its code counts towards the version of just those
jobs whose specification selects it, so nothing else in the package may import dynamically.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from spatialdep.errors import UserError

PACKAGE = Path(__file__).parent
ROOMS = ("spatial_ops.operations", "architectures", "datasets", "reporting.figures")


def source(room: str, name: str) -> Path:
    """Return the file of plug-in ``name`` in ``room``; it need not exist."""
    return PACKAGE.joinpath(*room.split("."), f"{name}.py")


@cache
def declarations(room: str) -> dict[str, dict[str, Any]]:
    """Read every plug-in's ``DECLARATION`` in ``room`` without importing it, by name.

    Planning uses this: it must know what may be asked for, but must not import torch.

    Raises
    ------
    UserError
        If a ``DECLARATION`` is not a plain literal.
    """
    found = {}
    for path in sorted(source(room, "_").parent.glob("*.py")):
        declaration = _declaration(path)
        if declaration is not None:
            found[path.stem] = declaration
    return found


def load(room: str, name: str) -> ModuleType:
    """Import plug-in ``name`` of ``room``.

    Raises
    ------
    UserError
        If there is no such plug-in; the sentence lists those there are.
    """
    if room not in ROOMS or name not in declarations(room):
        raise UserError(
            f"{room} has no {name!r}: choose one of {', '.join(declarations(room))}, "
            f"or add {source(room, name).relative_to(PACKAGE.parent)}."
        )
    return importlib.import_module(f"spatialdep.{room}.{name}")


def _declaration(path: Path) -> dict[str, Any] | None:
    text = path.read_text(encoding="utf-8")
    if "DECLARATION" not in text:
        return None
    for node in ast.parse(text, filename=str(path)).body:
        if isinstance(node, ast.Assign) and [
            target.id for target in node.targets if isinstance(target, ast.Name)
        ] == ["DECLARATION"]:
            try:
                return dict(ast.literal_eval(node.value))
            except (ValueError, TypeError, SyntaxError) as error:
                raise UserError(
                    f"{path}, line {node.lineno}: DECLARATION must be a plain literal, since "
                    "planning reads it without importing the file."
                ) from error
    return None
