"""A copy of the project in a folder of its own, and what its Snakemake says and does."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs")
JOB = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)
COUNT = re.compile(r"^([a-z_]+) +(\d+)$", re.MULTILINE)


def copy_project(folder: Path) -> Path:
    """Copy what the workflow consists of to ``folder``, without results."""
    folder.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".snakemake")
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
        else:
            shutil.copy(ROOT / part, folder / part)
    return folder


def start_snakemake(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start Snakemake in ``folder``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in ``folder`` and return all that it printed."""
    process = start_snakemake(folder, *arguments)
    printed, _ = process.communicate()
    if check and process.returncode:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{printed}")
    return printed


def planned(folder: Path, *arguments: str) -> set[str]:
    """Return the messages of the jobs that a dry run plans, without the rule that only gathers."""
    printed = snakemake(folder, "-n", *arguments)
    return {message.strip() for message in JOB.findall(printed)}


def counts(folder: Path, *arguments: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run plans."""
    printed = snakemake(folder, "-n", *arguments, "--quiet", "rules")
    found = Counter({rule: int(number) for rule, number in COUNT.findall(printed)})
    return {rule: number for rule, number in found.items() if rule not in ("total", "all")}


def pending(folder: Path) -> set[Path]:
    """Return the stamps of the jobs that would run."""
    rows = (line.split("\t") for line in snakemake(folder, "--summary").splitlines())
    return {
        Path(row[0])
        for row in rows
        if row[0].endswith("stamp.json") and row[-1] == "update pending"
    }


def with_statement(text: str, function: str) -> str:
    """Return a module's text with ``_ = None`` as the first statement of one of its functions."""
    *outer, name = function.split(".")
    body = ast.parse(text).body
    for parent in outer:
        body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == parent).body
    node = next(n for n in body if isinstance(n, ast.FunctionDef) and n.name == name)
    first = node.body[0]
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        first = node.body[1]
    lines = text.splitlines(keepends=True)
    lines.insert(first.lineno - 1, f"{' ' * first.col_offset}_ = None\n")
    return "".join(lines)
