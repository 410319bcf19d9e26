"""What a source file means: its syntax tree without what the interpreter does not execute.

Comments, layout, docstrings and type comments leave no trace in the hash, and neither does the
Python version: fields that only some of 3.11 to 3.13 have are empty where they are not used, and
empty fields are skipped.
"""

import ast
import hashlib
from dataclasses import dataclass

# Where an expression stands (ctx) follows from the tree around it; kind is the u of u"".
SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment"})

STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class SourceFile:
    """One module: the hash of its meaning, the same by definition, and what it imports.

    ``definitions`` maps ``"spatial_shuffle"`` or ``"SpatialShuffle.forward"`` to a hash, and
    ``"<module>"`` to that of the statements outside of definitions. ``imports`` are the absolute
    names of imported modules or members, such as ``"torch.nn"`` or ``"spatialdep.atomic.x"``.
    """

    version: str
    definitions: dict[str, str]
    imports: frozenset[str]


def parse(source: bytes, package: str) -> SourceFile:
    """Parse the text of a module; ``package`` is what its relative imports start from.

    Raises
    ------
    SyntaxError
        If it is not valid Python.
    """
    tree = ast.parse(source)
    definitions = _definitions(tree)
    return SourceFile(
        # In their order, which counts too; hashing the tree once more would take as long again.
        version=_digest(" ".join(f"{name} {version}" for name, version in definitions.items())),
        definitions=definitions,
        imports=frozenset(_imports(tree, package)),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _normalised(node: object) -> str:
    """Write a tree as text, without the fields that mean nothing and without docstrings."""
    if isinstance(node, ast.AST):
        parts = (
            f"{name}={_normalised(value)}"
            for name, value in ast.iter_fields(node)
            if name not in SKIPPED_FIELDS and value is not None and value != []
        )
        return f"{type(node).__name__}({','.join(part for part in parts if part)})"
    if isinstance(node, list):
        return f"[{','.join(_normalised(item) for item in _without_docstring(node))}]"
    return f"{type(node).__name__}:{node!r}"


def _without_docstring(body: list[ast.AST]) -> list[ast.AST]:
    """Drop strings that stand alone as statements: no interpreter acts on them."""
    return [
        item
        for item in body
        if not (
            isinstance(item, ast.Expr)
            and isinstance(item.value, ast.Constant)
            and isinstance(item.value.value, str)
        )
    ]


def _definitions(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    rest: list[ast.AST] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            frame, methods = _taken_apart(node)
            _add(found, node.name, frame)
            for method in methods:
                _add(found, f"{node.name}.{method.name}", method)
        elif isinstance(node, Definition):
            _add(found, node.name, node)
        else:
            rest.append(node)
    _add(found, "<module>", rest)
    return found


def _add(found: dict[str, str], name: str, node: object) -> None:
    """Add a definition; a second one of the same name, such as a setter, is another."""
    while name in found:
        name += "′"
    found[name] = _digest(_normalised(node))


def _taken_apart(node: ast.ClassDef) -> tuple[ast.ClassDef, list[Definition]]:
    """Return a class without its methods, and its methods."""
    methods = [item for item in node.body if isinstance(item, Definition)]
    frame = ast.ClassDef(
        name=node.name,
        bases=node.bases,
        keywords=node.keywords,
        body=[item for item in node.body if item not in methods],
        decorator_list=node.decorator_list,
    )
    return frame, methods


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Collect every import statement, also those inside functions, but none for types alone."""
    found: set[str] = set()
    for node in _executed_statements(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _executed_statements(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting.extend(node.orelse)
        else:
            # Statements lie in statements alone, never inside expressions.
            waiting.extend(
                child for child in ast.iter_child_nodes(node) if isinstance(child, STATEMENTS)
            )
    return found


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
