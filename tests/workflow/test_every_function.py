"""An edit of any function makes at least the jobs stale that execute it, by a trace of real jobs.

All functions are tried in this process; a few are tried with Snakemake too, which must plan the
very same jobs.
"""

import ast
import dataclasses
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from project import pending, with_statement

from spatialdep.provenance import code
from spatialdep.provenance.source_files import read_source
from spatialdep.provenance.syntax import SourceFile
from spatialdep.specification.configuration import read_configuration
from spatialdep.specification.plan import Plan

pytestmark = pytest.mark.slow

PACKAGE = Path("workflow/spatialdep")
TRIED_WITH_SNAKEMAKE = 8

Function = tuple[str, str]
"""A file of the package, and the name of a function in it: ``("training/loop.py", "Loop.run")``."""


def functions_in(text: str) -> set[str]:
    """Return the names of a module's functions and methods; what is inside of one belongs to it."""

    def within(node: ast.AST, prefix: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name
            elif isinstance(child, ast.ClassDef):
                yield from within(child, f"{prefix}{child.name}.")

    return set(within(ast.parse(text), ""))


@pytest.fixture(scope="module")
def executed(finished: Path) -> dict[Function, set[Path]]:
    """The stamps of the jobs that executed each function of the package when all was made."""
    functions = {
        (str(path.relative_to(finished / PACKAGE)), name)
        for path in (finished / PACKAGE).rglob("*.py")
        for name in functions_in(path.read_text())
    }
    found = defaultdict(set)
    for line in (finished.parent / "calls.jsonl").read_text().splitlines():
        command, file, called = json.loads(line)
        function = (file, called.partition(".<locals>")[0])
        stamp = stamp_of(command)
        if function in functions and stamp is not None:
            found[function].add(stamp)
    return found


def stamp_of(command: list[str]) -> Path | None:
    """Return the stamp that a job writes; None for staging, whose copies are compared bytewise."""
    name = command[command.index("-m") + 1].removeprefix("spatialdep.commands.")
    if name == "stage":
        return None
    option = "--out" if "--out" in command else "--output"
    out = Path(command[command.index(option) + 1])
    if name in ("verify", "table", "figure", "claims", "overview"):
        return out.with_suffix(".stamp.json")
    return out / "stamp.json"


class Planning:
    """What is stale in a project, judged in this process by the project's own code."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        configuration = yaml.safe_load((folder / "config/config.yaml").read_text())
        monkeypatch.chdir(folder)
        monkeypatch.setattr(code, "PACKAGE", folder / PACKAGE)
        # Files change while this process lives; what was read is remembered by its contents.
        monkeypatch.setattr(code, "read_source", read_source.__wrapped__)
        self.plan = Plan(read_configuration(configuration))

    def stale(self) -> set[Path]:
        forget_code()
        return {job.stamp for job, _ in self.plan.stale()}

    def code_versions(self) -> dict[Path, str]:
        forget_code()
        return {job.stamp: job.provenance["code"] for job in self.plan.jobs()}


def forget_code() -> None:
    code._source.cache_clear()
    code._code_version.cache_clear()


@pytest.fixture
def planning(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planning]:
    yield Planning(project, monkeypatch)
    forget_code()


def test_the_trace_is_of_every_job(planning: Planning, executed: dict[Function, set[Path]]) -> None:
    traced = set().union(*executed.values())
    assert traced == {job.stamp for job in planning.plan.jobs()}
    assert len(executed) > 300


def test_an_edit_of_any_function_makes_the_jobs_stale_that_execute_it(
    planning: Planning, executed: dict[Function, set[Path]]
) -> None:
    assert planning.stale() == set()
    missed = {}
    for (file, name), jobs in sorted(executed.items()):
        path = planning.folder / PACKAGE / file
        text = path.read_text()
        path.write_text(with_statement(text, name))
        if not jobs <= (stale := planning.stale()):
            missed[file, name] = jobs - stale
        path.write_text(text)
    assert missed == {}


def test_a_closure_that_lacks_a_module_would_be_found(
    planning: Planning, executed: dict[Function, set[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: without one import, edits of what it brings in go unnoticed."""
    whole = code.read_source

    def without_schedule(path: Path, module: str) -> SourceFile:
        file = whole(path, module)
        imports = {name for name in file.imports if "training.schedule" not in name}
        return dataclasses.replace(file, imports=frozenset(imports))

    monkeypatch.setattr(code, "read_source", without_schedule)
    before = planning.code_versions()
    path = planning.folder / PACKAGE / "training/schedule.py"
    text = path.read_text()
    functions = {name: jobs for (file, name), jobs in executed.items() if path.match(file)}
    assert functions
    for name, jobs in functions.items():
        path.write_text(with_statement(text, name))
        after = planning.code_versions()
        assert jobs & {stamp for stamp in after if after[stamp] == before[stamp]}
        path.write_text(text)


def test_snakemake_plans_the_same(planning: Planning, executed: dict[Function, set[Path]]) -> None:
    for file, name in random.Random(0).sample(sorted(executed), TRIED_WITH_SNAKEMAKE):
        path = planning.folder / PACKAGE / file
        text = path.read_text()
        path.write_text(with_statement(text, name))
        assert pending(planning.folder) == planning.stale(), (file, name)
        path.write_text(text)
