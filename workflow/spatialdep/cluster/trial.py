"""One tiny job that looks around on a node."""

import importlib.metadata
import json
import os
import platform
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spatialdep.atomic import atomic_write
from spatialdep.cluster import slurm
from spatialdep.cluster.estimates import Images
from spatialdep.cluster.resources import Resources, reporting, training
from spatialdep.cluster.site import Site
from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE
from spatialdep.specification.run import Recipe, RunSpecification

MINUTES = 5
PAUSE = 1.0
# Seconds that a file may take to appear on the login node.
LATENCY = 60
# How the plug-in turns resources into options of sbatch.
OPTIONS = {
    "slurm_partition": "--partition={}",
    "slurm_account": "--account={}",
    "qos": "--qos={}",
    "constraint": "--constraint={}",
    "gres": "--gres={}",
    "slurm_extra": "{}",
}


def run(kind: str, site: Site, wait: int) -> dict[str, Any]:
    """Send a job as the profile would send a ``"gpu"`` or ``"cpu"`` one, and return what it saw.

    Raises
    ------
    UserError
        If SLURM refuses it, it does not start within ``wait`` seconds, or it fails.
    """
    # Below the working folder, since that is what the nodes must share.
    shared = Path.cwd() / ".snakemake"
    shared.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="check_site-", dir=shared) as name:
        folder = Path(name)
        token = secrets.token_hex(8)
        (folder / "token").write_text(token, encoding="utf-8")
        job = slurm.ask(*_submission(kind, site, folder)).partition(";")[0]
        _await_end(job, wait)
        seen = _read(folder)
    if seen.get("token") != token:
        raise UserError(f"a node sees another {Path.cwd()}: work in a folder that nodes share.")
    return seen


def look_around(folder: Path) -> None:
    """Write what a node sees beside the token in ``folder``; called on the node."""
    seen: dict[str, Any] = {
        "token": (folder / "token").read_text(encoding="utf-8"),
        "host": platform.node(),
        "python": platform.python_version(),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        **_see_torch(),
        **_see_scratch(),
    }
    with atomic_write(folder / "seen.json") as stream:
        json.dump(seen, stream)


def _see_torch() -> dict[str, Any]:
    try:
        import torch  # noqa: PLC0415 - the login node need not have it
    except (ImportError, OSError) as error:
        return {"torch": None, "torch_error": str(error), "cuda": [], "built_for": None}
    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "torch": importlib.metadata.version("torch"),
        "torch_error": None,
        "cuda": cuda,
        "built_for": torch.version.cuda,
    }


def _see_scratch() -> dict[str, Any]:
    scratch = os.environ.get("SPATIALDEP_SCRATCH")
    if not scratch:
        return {"scratch": None, "scratch_gb": None, "scratch_error": "it is empty on the node"}
    try:
        Path(scratch).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=scratch):
            free = shutil.disk_usage(scratch).free
    except OSError as error:
        return {"scratch": scratch, "scratch_gb": None, "scratch_error": error.strerror}
    return {"scratch": scratch, "scratch_gb": free / 1e9, "scratch_error": None}


def _submission(kind: str, site: Site, folder: Path) -> list[str]:
    asked = _resources(kind, site)
    flags = [form.format(asked[name]) for name, form in OPTIONS.items() if asked.get(name)]
    if asked.get("gpu"):
        flags.append("--gpus=" + ":".join(filter(None, (str(asked["gpu_model"]), "1"))))
    command = [sys.executable, "-m", "spatialdep.commands.check_site", "--on-node", str(folder)]
    package = shlex.quote(str(PACKAGE.parent))
    script = f"{site.shell_prefix}export PYTHONPATH={package}; {shlex.join(command)}"
    return [
        "sbatch", "--parsable", f"--job-name=check_site_{kind}", f"--time={MINUTES}", "--nodes=1",
        "--cpus-per-task=1", "--mem=4000", f"--output={folder / 'log'}", *flags, f"--wrap={script}",
    ]  # fmt: skip


def _resources(kind: str, site: Site) -> Resources:
    if kind == "cpu":
        return reporting(0, site)
    recipe = Recipe(name="trial", epochs=1)
    any_run = RunSpecification(dataset="trial", image_size=32, architecture="vgg16", recipe=recipe)
    return training(any_run, Images(1, 1, 32), site)


def _await_end(job: str, wait: int) -> None:
    """Return when a job is over; give it up if it has not started in time."""
    deadline = time.monotonic() + wait
    while (found := next((each for each in slurm.queue() if each.id == job), None)) is not None:
        if found.state == "PENDING" and time.monotonic() > deadline:
            slurm.ask("scancel", job)
            raise UserError(
                f"a trial job did not start within {wait} s (SLURM says {found.reason}): wait "
                "longer with --wait, or choose another partition."
            )
        time.sleep(PAUSE)


def _read(folder: Path) -> dict[str, Any]:
    deadline = time.monotonic() + LATENCY
    log = folder / "log"
    while not (folder / "seen.json").exists():
        # A job that wrote a log and no result has failed; without either, the folder is not shared.
        if log.exists() and log.stat().st_size:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
            raise UserError(f"a trial job failed there ({last}): look at Python, setup and envs/.")
        if time.monotonic() > deadline:
            raise UserError(
                f"a trial job left nothing in {Path.cwd()}: work in a folder that nodes share."
            )
        time.sleep(PAUSE)
    whole: dict[str, Any] = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return whole
