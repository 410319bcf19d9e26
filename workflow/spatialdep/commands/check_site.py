"""Try out a cluster before anything is submitted: a line a matter, ok or what to do.

Reads config/cluster.yaml and the profile, asks SLURM, and sends one tiny job to each partition,
which looks at the shared folder, Python, torch and the GPU from a node.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spatialdep import commandline
from spatialdep.cluster import slurm, trial
from spatialdep.cluster.site import SITE, Site, read_site
from spatialdep.errors import UserError

PROFILE = Path("profiles/slurm/config.yaml")
DEFAULT_FIRST_CHECK = 40
# The plug-in's longest pause between two looks at the queue, in seconds.
LONGEST_PAUSE = 180


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'to do '} {self.text}"


def good(text: str) -> Finding:
    return Finding(True, text)


def bad(text: str) -> Finding:
    return Finding(False, text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.check_site", description=__doc__
    )
    parser.add_argument("--site", type=Path, default=SITE, help="default: %(default)s")
    parser.add_argument("--profile", type=Path, default=PROFILE, help="default: %(default)s")
    parser.add_argument(
        "--wait", type=int, default=600, help="seconds that the trial jobs may wait (%(default)s)"
    )
    parser.add_argument("--no-jobs", action="store_true", help="ask SLURM only, submit nothing")
    parser.add_argument("--on-node", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.on_node is not None:
        trial.look_around(arguments.on_node)
        return 0
    site = read_site(arguments.site)
    passed = True
    for finding in findings(site, arguments):
        print(finding, flush=True)
        passed &= finding.ok
    return 0 if passed else 1


def findings(site: Site, arguments: argparse.Namespace) -> Iterator[Finding]:
    """Yield every line; what cannot be asked for lack of SLURM is not asked."""
    yield good(f"{arguments.site} is valid")
    reachable = check_reachable()
    yield reachable
    if not reachable.ok:
        return
    known = slurm.partitions()
    yield from check_partitions(site, known)
    yield from check_gpus(site, known)
    yield check_status_command(arguments.profile)
    if arguments.no_jobs:
        return
    for kind in sorted({"gpu" if site.gpus else "cpu", "cpu"}, reverse=True):
        yield from try_job(kind, site, arguments.wait)


def check_reachable() -> Finding:
    if not slurm.is_available():
        absent = [name for name in slurm.PROGRAMS if shutil.which(name) is None]
        return bad(f"{', '.join(absent)} not on PATH: log in to the cluster's login node")
    try:
        slurm.ask("scontrol", "ping")
    except UserError as error:
        return bad(f"SLURM's controller does not answer ({error}): try later")
    return good("SLURM's controller answers")


def check_partitions(site: Site, known: dict[str, slurm.Partition]) -> Iterator[Finding]:
    for kind in ("gpu", "cpu") if site.gpus else ("cpu",):
        name = site.partitions.get(kind, "")
        asked = name or "the default partition"
        if name not in known:
            names = ", ".join(filter(None, known))
            yield bad(
                f"{kind} jobs: {asked} does not exist; set partitions.{kind} to one of {names}"
            )
            continue
        partition = known[name]
        if not partition.up or not partition.usable_nodes:
            yield bad(f"{kind} jobs: partition {partition.name} is down: wait, or choose another")
        elif partition.limit_minutes < site.max_runtime:
            yield bad(
                f"{kind} jobs: partition {partition.name} grants {partition.limit_minutes:g} min: "
                f"lower max_runtime ({site.max_runtime}) to that, or choose another partition"
            )
        else:
            yield good(
                f"{kind} jobs: partition {partition.name}, {partition.usable_nodes} nodes up"
            )


def check_gpus(site: Site, known: dict[str, slurm.Partition]) -> Iterator[Finding]:
    partition = known.get(site.partitions.get("gpu", ""))
    if not site.gpus or partition is None:
        return
    types = ", ".join(f"{count} × {model}" for model, count in partition.gpus.items())
    if not partition.gpus:
        yield bad(f"partition {partition.name} has no GPU: set partitions.gpu, or gpus: false")
        return
    if site.gpu_model is not None and site.gpu_model not in partition.gpus:
        yield bad(
            f"no {site.gpu_model} in partition {partition.name}: set gpu_model; it has {types}"
        )
    else:
        yield good(f"GPUs of a node of partition {partition.name}: {types}")
    if site.shards_per_run == 0:
        return
    found = partition.shards_per_gpu
    if found != site.shards_per_gpu:
        yield bad(
            f"GPUs of partition {partition.name} have {found} shards, not {site.shards_per_gpu}: "
            f"set shards_per_gpu to that{'' if found else ', or runs_per_gpu to 1'}"
        )
    elif found % site.runs_per_gpu:
        fit = found // site.shards_per_run
        yield bad(f"{found} shards a GPU let {fit} runs share it: set runs_per_gpu to {fit}")
    else:
        yield good(f"{site.runs_per_gpu} runs share a GPU, {site.shards_per_run} shards each")


def check_status_command(profile: Path) -> Finding:
    settings = _read_profile(profile)
    command = settings.get("slurm-status-command", "sacct")
    first = int(settings.get("slurm-init-seconds-before-status-checks", DEFAULT_FIRST_CHECK))
    accounting = slurm.has_accounting()
    remembered, needed = slurm.remembered_seconds(), max(3 * first, LONGEST_PAUSE + 1)
    if command == "sacct":
        if accounting:
            return good("jobs are watched with sacct, which answers")
        return bad(f"sacct does not answer here: set slurm-status-command: squeue in {profile}")
    if remembered >= needed:
        return good(f"jobs are watched with squeue; SLURM remembers them for {remembered} s")
    if accounting:
        return bad(
            f"SLURM forgets finished jobs after {remembered} s: set slurm-status-command: sacct in "
            f"{profile}"
        )
    return bad(
        f"SLURM forgets finished jobs after {remembered} s and sacct does not answer: Snakemake "
        f"could wait for ever; ask your administrators for MinJobAge ≥ {needed}"
    )


def try_job(kind: str, site: Site, wait: int) -> Iterator[Finding]:
    """Run a tiny job as the profile would, and tell what it saw."""
    say = f"{kind} jobs"
    try:
        seen = trial.run(kind, site, wait)
    except UserError as error:
        yield bad(f"{say}: {error}")
        return
    yield good(f"{say}: ran on {seen['host']}, which sees {Path.cwd()}")
    yield good(f"{say}: Python {seen['python']} is {sys.executable} there")
    if seen["torch"] is None:
        yield bad(f"{say}: torch cannot be imported there ({seen['torch_error']}): install envs/")
        return
    yield good(f"{say}: torch {seen['torch']} is imported there")
    if kind == "gpu":
        yield check_cuda(say, seen)
    if kind == "gpu" and site.scratch is not None:
        yield check_scratch(say, site, seen)


def check_cuda(say: str, seen: dict[str, Any]) -> Finding:
    if seen["cuda"]:
        return good(f"{say}: torch sees {', '.join(seen['cuda'])}")
    granted = seen["visible"]
    if granted is None:
        return bad(
            f"{say}: SLURM gave the job no GPU (CUDA_VISIBLE_DEVICES is not set): ask your "
            "administrators for gres.conf, or set gpus: false"
        )
    return bad(
        f"{say}: SLURM gave GPU {granted}, but torch sees none: look for a driver older than "
        f"CUDA {seen['built_for']} (nvidia-smi on {seen['host']}), or a module missing in setup"
    )


def check_scratch(say: str, site: Site, seen: dict[str, Any]) -> Finding:
    if seen["scratch_error"] is not None:
        return bad(f"{say}: scratch {site.scratch} cannot be used there ({seen['scratch_error']})")
    return good(f"{say}: scratch {seen['scratch']} has {seen['scratch_gb']:.0f} GB free there")


def _read_profile(path: Path) -> dict[str, Any]:
    try:
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: name the profile's file by --profile.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return dict(whole or {})


if __name__ == "__main__":
    commandline.run(main)
