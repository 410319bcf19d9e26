"""How far the work is: jobs, GPU-hours, what runs, waits, is done, and what failed and why.

Before the first submission it tells what the work will cost. It changes nothing and can be asked at
any time, also while Snakemake runs.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from spatialdep import commandline
from spatialdep.cluster import slurm, speed
from spatialdep.cluster.estimates import Estimator, finished_runs, images_of
from spatialdep.cluster.progress import Progress, State, log_of, progress, read_failures, why
from spatialdep.cluster.site import SITE, Site, read_site
from spatialdep.cluster.slurm import QueuedJob
from spatialdep.cluster.work import DEAREST, is_known
from spatialdep.errors import UserError
from spatialdep.specification.configuration import read_configuration
from spatialdep.specification.plan import DATA, RUNS, Plan
from spatialdep.specification.run import RunSpecification

CONFIGURATION = Path("config/config.yaml")
SNAKEMAKE_LOGS = Path(".snakemake/log")
SLURM_LOGS = Path(".snakemake/slurm_logs")
STYLES = {
    State.DONE: "green",
    State.RUNNING: "cyan",
    State.WAITING: "yellow",
    State.FAILED: "bold red",
    State.TO_DO: "dim",
}
# Longer lists tell no more at a glance; --all shows them.
SHOWN = 12


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.status", description=__doc__
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--configuration", help="the whole configuration as JSON")
    source.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        help=f"laid over {CONFIGURATION}, as for snakemake",
    )
    parser.add_argument("--site", type=Path, default=SITE, help="default: %(default)s")
    parser.add_argument(
        "--slurm-logs", type=Path, default=SLURM_LOGS, help="slurm-logdir of the profile, if set"
    )
    parser.add_argument("--plain", action="store_true", help="no colours, for files")
    parser.add_argument("--all", action="store_true", help="whole lists, however long")
    arguments = parser.parse_args(argv)

    plan = Plan(read_configuration(_configuration(arguments)))
    console = _console(arguments.plain)
    queue = _queue(console)
    stale = {job.stamp for job, _ in plan.stale()}
    found = progress(plan.jobs(), stale, queue, read_failures(SNAKEMAKE_LOGS))
    report = Report(console, arguments.slurm_logs, None if arguments.all else SHOWN)
    report.overview(found)
    report.unnamed(queue, found)
    report.hours(plan, found, read_site(arguments.site))
    report.lists(found)
    plan.save()
    return 0


class Report:
    """Prints one part of the answer after the other."""

    def __init__(self, console: Console, slurm_logs: Path, shown: int | None) -> None:
        self._console = console
        self._slurm_logs = slurm_logs
        self._shown = shown

    def overview(self, found: Sequence[Progress]) -> None:
        """Print how many jobs of each rule are in which state."""
        states = (Column(Text(state, STYLES[state]), justify="right") for state in State)
        table = Table("jobs", *states, box=None)
        rules = dict.fromkeys(each.job.rule for each in found)
        for rule in rules:
            counts = Counter(each.state for each in found if each.job.rule == rule)
            table.add_row(rule, *(_count(counts[state], state) for state in State))
        whole = Counter(each.state for each in found)
        table.add_row("all", *(_count(whole[state], state) for state in State), style="bold")
        self._console.print(table)

    def unnamed(self, queue: Sequence[QueuedJob], found: Sequence[Progress]) -> None:
        """Print how many jobs in the queue are none of the above."""
        named = {each.queued.id for each in found if each.queued is not None}
        others = [job.id for job in queue if job.id not in named]
        if others:
            self._console.print(
                f"and {len(others)} in the queue that these targets do not need: "
                f"{', '.join(others[: self._shown])}"
            )

    def hours(self, plan: Plan, found: Sequence[Progress], site: Site) -> None:
        """Print how many GPU-hours the trainings take, and how many are left."""
        trainings = {each.name: each for each in found if each.job.rule == "train"}
        runs = {name: plan.runs[name] for name in trainings}
        done = [runs[name] for name, each in trainings.items() if each.state is State.DONE]
        estimator = Estimator(site, tuple(finished_runs(done, RUNS, site)))
        hours = {name: _gpu_hours(run, plan, estimator) for name, run in runs.items()}
        left = sum(hours[name] for name, each in trainings.items() if each.state is not State.DONE)
        unit = "GPU-hours" if site.gpus else "CPU-job-hours"
        self._console.print(f"\ntraining: {sum(hours.values()):.1f} {unit}, {left:.1f} left")
        measured = sum(estimator.is_measured(run) for run in runs.values())
        self._console.print(f"  {_basis(site, measured, runs.values())}", style="dim")

    def lists(self, found: Sequence[Progress]) -> None:
        """Print what failed and why, what runs, and what waits for what."""
        by_state = {state: [each for each in found if each.state is state] for state in State}
        self._list(State.FAILED, by_state, self._failed)
        self._list(State.RUNNING, by_state, self._running)
        reasons = Counter(each.queued.reason for each in by_state[State.WAITING] if each.queued)
        if reasons:
            told = ", ".join(f"{count} for {reason}" for reason, count in reasons.most_common())
            self._console.print(f"\nwaiting: {told}", style=STYLES[State.WAITING])

    def _list(self, state: State, by_state: Mapping[State, list[Progress]], show: Any) -> None:
        members = by_state[state]
        if not members:
            return
        self._console.print(f"\n{state}:", style=STYLES[state])
        for each in members[: self._shown]:
            show(each)
        if len(members) > len(members[: self._shown]):
            self._console.print(f"  … and {len(members) - len(members[: self._shown])} (--all)")

    def _failed(self, each: Progress) -> None:
        self._console.print(f"  {each.job.rule} {each.name}: {why(each)}")
        logs = dict.fromkeys((log_of(each.job), *(each.failure.logs if each.failure else ())))
        for log in logs:
            if log.exists():
                self._console.print(f"    {_relative(log)}")

    def _running(self, each: Progress) -> None:
        queued = each.queued
        if queued is None:
            return
        times = f"{queued.elapsed} so far, {queued.left} allowed"
        self._console.print(
            f"  {each.job.rule} {each.name}: {times}, job {queued.id}, {queued.node}"
        )
        for log in (log_of(each.job), *self._slurm_logs.rglob(f"{queued.id}.log")):
            self._console.print(f"    {_relative(log)}")


def _configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.configuration is not None:
        whole: dict[str, Any] = json.loads(arguments.configuration)
        return whole
    whole = {}
    for path in (CONFIGURATION, *arguments.configfile):
        try:
            _lay_over(whole, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except FileNotFoundError as error:
            raise UserError(f"{path} does not exist: run this in the project's folder.") from error
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return whole


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Merge mappings, as Snakemake merges configuration files."""
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def _queue(console: Console) -> list[QueuedJob]:
    """Return this folder's jobs in the queue; without an answer, say so and go on."""
    if not slurm.is_available():
        return []
    here = Path.cwd().resolve()
    try:
        return [job for job in slurm.queue() if job.folder == here]
    except UserError as error:
        console.print(f"SLURM's queue is unknown: {error}\n", style=STYLES[State.FAILED])
        return []


def _console(plain: bool) -> Console:
    if plain or not sys.stdout.isatty():
        return Console(no_color=True, highlight=False, force_terminal=False, width=1000)
    return Console(highlight=False, soft_wrap=True)


def _count(count: int, state: State) -> Text:
    return Text(str(count), STYLES[state]) if count else Text("·", "dim")


def _gpu_hours(run: RunSpecification, plan: Plan, estimator: Estimator) -> float:
    kind = plan.configuration.datasets[run.dataset]["kind"]
    images = images_of(run, kind, DATA)
    return estimator.seconds(run, images) / 3600 * max(1, run.recipe.gpus)


def _basis(site: Site, measured: int, runs: Iterable[RunSpecification]) -> str:
    """Say what the estimate rests on."""
    every = list(runs)
    device, flops = speed.sustained_flops(site)
    told = [f"{measured} of {len(every)} runs estimated from finished ones"]
    if measured < len(every):
        assumed = ", assumed: name yours under device in config/cluster.yaml"
        told.append(
            f"the others from {flops / 1e12:.3g} TFLOP/s "
            f"({device}{assumed if speed.is_assumed(site) else ''})"
        )
    unknown = sorted({run.architecture for run in every if not is_known(run.architecture)})
    if unknown:
        told.append(f"{', '.join(unknown)} counted as {DEAREST}")
    return "; ".join(told)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    commandline.run(main)
