"""The closure of a job: all the code it can run, and none that it cannot."""

import ast

import pytest

from spatialdep.plugins import PACKAGE, ROOMS, declarations
from spatialdep.provenance.code import code_version, module_file
from spatialdep.provenance.environment import pinned_versions

COMMANDS = [path.stem for path in (PACKAGE / "commands").glob("*.py") if path.stem != "__init__"]


def network(operation: str, architecture: str) -> list[tuple[str, str]]:
    return [("spatial_ops.operations", operation), ("architectures", architecture)]


def test_a_job_depends_on_its_own_plugins_alone() -> None:
    files = code_version("train", network("gap_fc", "vgg")).files
    assert "spatialdep.spatial_ops.operations.gap_fc" in files
    assert "spatialdep.architectures.vgg" in files
    others = {
        name
        for name in files
        for room in ("spatial_ops.operations", "architectures", "datasets")
        if any(name == f"spatialdep.{room}.{plugin}" for plugin in declarations(room))
    } - {"spatialdep.spatial_ops.operations.gap_fc", "spatialdep.architectures.vgg"}
    assert not others


def test_the_selection_decides_the_version() -> None:
    one = code_version("train", network("spatial_shuffle", "vgg"))
    assert one == code_version("train", reversed(network("spatial_shuffle", "vgg")))
    assert one.version != code_version("train", network("gap_fc", "vgg")).version


@pytest.mark.parametrize("command", COMMANDS)
def test_every_imported_package_is_pinned(command: str) -> None:
    selection = [(room, name) for room in ROOMS for name in declarations(room)]
    assert pinned_versions(code_version(command, selection).third_party)


def test_reporting_and_planning_never_import_torch() -> None:
    for command in ("table", "figure", "collect", "why"):
        selection = [("reporting.figures", name) for name in declarations("reporting.figures")]
        assert "torch" not in code_version(command, selection).third_party


WAYS_AROUND_IMPORT = {"__import__", "exec", "eval", "compile"}
WAYS_OF_MODULES = {
    "import_module",
    "run_module",
    "run_path",
    "exec_module",
    "load_module",
    "reload",
}


def test_nothing_imports_dynamically_but_the_plugins() -> None:
    """A closure read off import statements is whole only if there are no other imports."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # torch.compile and network.eval() are attributes; the built-in functions are names.
            name = getattr(node, "id", None) in WAYS_AROUND_IMPORT
            if name or getattr(node, "attr", None) in WAYS_OF_MODULES:
                found.append(str(path.relative_to(PACKAGE)))
    assert found == ["plugins.py"]


def test_no_module_imports_a_plugin_statically_but_the_facades() -> None:
    plugins = {f"spatialdep.{room}.{name}" for room in ROOMS for name in declarations(room)}
    for command in COMMANDS:
        assert not plugins & code_version(command).files.keys(), command


def test_module_file_finds_packages_and_modules() -> None:
    assert module_file("spatialdep") == PACKAGE / "__init__.py"
    assert module_file("spatialdep.plugins") == PACKAGE / "plugins.py"
    assert module_file("spatialdep.plugins.load") is None
