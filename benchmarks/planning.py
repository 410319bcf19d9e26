"""What planning costs: `snakemake -n` of the whole paper against an empty Snakefile.

Run it from the project's root: ``python benchmarks/planning.py``. It prints one JSON line a figure.
The grid counts as up to date if every job's stamp and outputs exist and fit; these are made up here
in a temporary folder, since planning reads stamps and not what they vouch for.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as scratch:
        empty, full, done = (Path(scratch) / name for name in ("empty", "full", "done"))
        empty.mkdir()
        (empty / "Snakefile").write_text("rule all:\n    input: []\n")
        copy_project(full)
        copy_project(done)
        finish_everything(done)
        # Interleaved, so that a busy moment of the machine meets all three.
        times: dict[str, list[float]] = {"empty": [], "full": [], "done": []}
        for _ in range(repeats):
            for name, folder in (("empty", empty), ("full", full), ("done", done)):
                times[name].append(plan(folder)[0])
        jobs = plan(full)[1]
        assert "Nothing to be done" in plan(done)[2], plan(done)[2]
    base = statistics.median(times["empty"])
    for name, meaning in (("full", "whole paper grid"), ("done", "nothing to do")):
        ours = statistics.median(times[name])
        figure = {
            "name": f"planning, {meaning}",
            "ours_s": round(ours, 2),
            "empty_s": round(base, 2),
            "above_empty_s": round(ours - base, 2),
            "ratio": round(ours / base, 2),
            "jobs": jobs,
            "machine": f"{os.cpu_count()} cores {platform.machine()}",
            "versions": {"snakemake": metadata.version("snakemake"), "python": sys.version[:6]},
        }
        print(json.dumps(figure), flush=True)


def copy_project(folder: Path) -> None:
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)


def finish_everything(folder: Path) -> None:
    """Give every job of the paper the outputs and the stamp that it would have."""
    script = Path(__file__).parent / "finish_plan.py"
    environment = {**os.environ, "PYTHONPATH": str(folder / "workflow")}
    subprocess.run([sys.executable, script], cwd=folder, env=environment, check=True)


def plan(folder: Path) -> tuple[float, int, str]:
    """Return the seconds that planning took, the number of jobs, and what was printed."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    printed = done.stdout + done.stderr
    totals = [line.split()[-1] for line in printed.splitlines() if line.startswith("total")]
    return seconds, int(totals[-1]) if totals else 0, printed


if __name__ == "__main__":
    main()
