"""A copy of the project in a folder of its own, and what its Snakemake says and does."""

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


def snakemake(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Snakemake in ``folder`` and return all that it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{done.stdout}")
    return done.stdout


def planned(folder: Path, *arguments: str) -> set[str]:
    """Return the messages of the jobs that a dry run plans, without the rule that only gathers."""
    printed = snakemake(folder, "-n", *arguments)
    return {message.strip() for message in JOB.findall(printed)}


def counts(folder: Path, *arguments: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run plans."""
    printed = snakemake(folder, "-n", *arguments, "--quiet", "rules")
    found = Counter({rule: int(number) for rule, number in COUNT.findall(printed)})
    return {rule: number for rule, number in found.items() if rule not in ("total", "all")}
