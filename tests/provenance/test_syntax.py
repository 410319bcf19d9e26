"""What counts as a change of a source file, and what does not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE
from spatialdep.provenance.source_files import read_source

SOURCE = '''
"""Module."""
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

CONSTANT = 3

def area(height, width=2):
    """Say it."""
    # a comment
    return height * width

class Map:
    """A class."""
    size: int = 1

    def grow(self):
        return self.size + CONSTANT
'''


@pytest.fixture
def version(tmp_path: Path):
    """Return a function that reads a text as a module of its own."""
    count = iter(range(100))

    def read(text: str):
        path = tmp_path / f"m{next(count)}.py"
        path.write_text(text)
        return read_source(path, "spatialdep.m")

    return read


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another, longer comment"),
        ('"""Say it."""', '"""Say it differently."""'),
        ('"""Module."""\n', ""),
        ("height * width", "(height\n        * width)"),
        ("CONSTANT = 3", "CONSTANT = 3\n\n\n"),
    ],
)
def test_what_is_not_executed_means_nothing(version, old: str, new: str) -> None:
    assert old in SOURCE
    assert version(SOURCE).version == version(SOURCE.replace(old, new)).version


@pytest.mark.parametrize(
    ("old", "new", "definition"),
    [
        ("height * width", "height + width", "area"),
        ("width=2", "width=3", "area"),
        ("CONSTANT = 3", "CONSTANT = 3.0", "<module>"),
        ("self.size + CONSTANT", "self.size", "Map.grow"),
        ("size: int = 1", "size: int = 2", "Map"),
        ("def grow", "@staticmethod\n    def grow", "Map.grow"),
    ],
)
def test_what_is_executed_counts_and_is_named(version, old: str, new: str, definition: str) -> None:
    assert old in SOURCE
    before, after = version(SOURCE), version(SOURCE.replace(old, new))
    assert before.version != after.version
    changed = {
        name
        for name in before.definitions.keys() | after.definitions.keys()
        if before.definitions.get(name) != after.definitions.get(name)
    }
    assert changed == {definition}


def test_imports_for_types_alone_are_left_out(version) -> None:
    imports = version(SOURCE).imports
    assert "os" in imports
    assert "pandas" not in imports


def test_relative_and_nested_imports_are_found(version) -> None:
    text = "def f():\n    from . import atomic\n    from .training.loop import train\n"
    assert {"spatialdep.atomic", "spatialdep.training.loop"} <= version(text).imports


def test_invalid_python_is_one_sentence(version) -> None:
    with pytest.raises(UserError, match=r"m0\.py, line 1"):
        version("def f(:\n")


@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13"])
def test_the_same_on_every_python(python: str, tmp_path: Path) -> None:
    """Every file of the package has the hash that this interpreter finds."""
    interpreter = shutil.which(python)
    works = interpreter and subprocess.run(
        [interpreter, "-c", ""], capture_output=True, check=False
    )
    if not works or works.returncode:
        pytest.skip(f"{python} is not installed")
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from spatialdep.provenance.source_files import read_source\n"
        "for path in sorted(Path(sys.argv[1]).rglob('*.py')): print(read_source(path, 'm').version)"
    )
    there = subprocess.run(
        [interpreter, "-c", script, str(PACKAGE.parent)], capture_output=True, text=True, check=True
    )
    here = [read_source(path, "m").version for path in sorted(PACKAGE.parent.rglob("*.py"))]
    assert there.stdout.split() == here
