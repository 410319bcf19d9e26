# Look-ups that the rules share; whatever decides something lies in the package.
import atexit
import functools
import gc
import json
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.io import _IOFile
from snakemake.logging import logger
from snakemake.utils import update_config

WORKFLOW = Path(workflow.current_basedir).parent
sys.path.insert(0, str(WORKFLOW))

from spatialdep.cluster.estimates import IMAGES, LARGEST, images_of
from spatialdep.cluster.resources import RuleResources
from spatialdep.cluster.site import SITE, read_site
from spatialdep.errors import UserError
from spatialdep.machine import sees_gpu, use_this_interpreter
from spatialdep.specification.arguments import to_arguments
from spatialdep.specification.configuration import from_command_line, read_configuration
from spatialdep.specification.plan import DATA, Plan, content_of

use_this_interpreter()

# Planning makes many objects, and they stay; looking for garbage among them and among what the
# imports have made took a quarter of its time.
gc.freeze()
gc.set_threshold(1_000_000)


def refuse(reason):
    """End with one sentence; an exception would print a trace around it."""
    logger.error(f"error: {reason}")
    sys.exit(1)


update_config(config, from_command_line(workflow.config_settings.config))

try:
    plan = Plan(read_configuration(config))
    site = read_site(Path(config.get("cluster", SITE)))
except UserError as error:
    refuse(error)


@functools.cache
def run_and_images(run):
    specification = plan.runs[run]
    kind = plan.configuration.datasets[specification.dataset]["kind"]
    return specification, images_of(specification, kind, DATA)


if workflow.is_main_process:
    atexit.register(plan.save)

# What each job asks a cluster for, computed from what it does.
asks = RuleResources(
    site,
    run_and_images,
    passes=plan.configuration.passes,
    gpus={run.recipe.gpus for run in plan.runs.values()},
)


async def is_newer(file, time, by_time=_IOFile.is_newer):
    """Compare times for the rules of other workflows alone: in ours, contents decide."""
    ours = str(file.rule.snakefile).startswith(f"{WORKFLOW}/")
    return not ours and await by_time(file, time)


# Snakemake compares times whatever its rerun-triggers are. Inputs marked as ancient would be no way
# out: what lies behind them is not looked at where a job before them runs.
_IOFile.is_newer = is_newer

shell.prefix(f"{site.shell_prefix}export PYTHONPATH={shlex.quote(str(WORKFLOW))}; ")


def one_of(names):
    """Return a pattern that matches these names alone, nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def megabytes_of(wildcards):
    """Return the size of a dataset's prepared images."""
    size = plan.configuration.image_size(wildcards.dataset)
    kind = plan.configuration.datasets[wildcards.dataset]["kind"]
    return IMAGES.get(kind, LARGEST)[0] * 3 * size**2 / 1e6


wildcard_constraints:
    shard=r"\d+",
    shards=r"\d+",
    dataset=r"[^/]+",
    figure=one_of(plan.configuration.figures),
    run=r"[^/]+(/[^/]+){4}/seed\d+",
    view=r"(trained|as_[^/]+)",
    preview=r"(preview/)?",


def as_job(look_up, *names):
    """Return an input function: the stamps of the jobs before the job of its wildcards.

    A stamp vouches for the files beside it, so rules name those only where their commands do; the
    fewer they name, the faster is planning. A stale result is made anew: Snakemake is told so where
    it would not see it by itself, since its own records may be lost or older than the result
    (workflow/spatialdep/provenance/freshness.py).
    """

    def stamps(wildcards):
        job = look_up_job(look_up, wildcards, names)
        if workflow.is_main_process and plan.reasons(job):
            workflow.dag.forcefiles.add(str(job.stamp))
        return list(map(str, job.upstream))

    return stamps


def provenance(look_up, *names):
    """Return a params function: code, environment and configuration of the job."""
    return lambda wildcards, output: look_up_job(look_up, wildcards, names).provenance


@functools.cache
def planned_job(look_up, *values):
    return look_up(*values)


def shown(preview=""):
    """Return everything that the targets of the configuration show."""
    return [
        *expand(
            "results/{preview}figures/{figure}.{format}",
            preview=preview,
            figure=plan.configuration.targets,
            format=["pdf", "svg", "png"],
        ),
        *expand(
            "results/{preview}tables/{table}.{format}",
            preview=preview,
            table=[*plan.configuration.targets, "claims"],
            format=["csv", "md", "tex"],
        ),
        f"results/{preview}overview.html",
    ]


def as_json(value):
    """Return a value as one canonical word for a command line."""
    return json.dumps(value, sort_keys=True)


def look_up_job(look_up, wildcards, names):
    try:
        return planned_job(look_up, *(getattr(wildcards, name) for name in names))
    except KeyError as error:
        refuse(
            f"{error.args[0]} is not in the configuration: name a result of one of its figures "
            f"({', '.join(plan.configuration.figures)}), or add an experiment and a figure."
        )


def about_to_run():
    """Whether jobs will be run here or sent off: no dry run, no --summary, no job's own process."""
    only_asks = workflow.executor_plugin is None or workflow.dryrun
    return workflow.is_main_process and not only_asks


def unaltered_sources(wildcards):
    """Refuse archives that are no longer what was verified; gives no file of its own.

    A job that refused them would lose the record with which their dataset was prepared. Folders of
    the user's own have no checksum to keep to: they are verified and read anew.
    """
    if about_to_run():
        for path in plan.altered_sources(wildcards.dataset):
            if path.is_dir():
                continue
            refuse(
                f"{path} has other contents than were verified: put the right file there, "
                "or state the checksum of this one in the configuration."
            )
    return []


def launcher(wildcards, output):
    """Return what starts a training on several GPUs: as many processes."""
    gpus = plan.runs[wildcards.run].recipe.gpus
    several = f"-m torch.distributed.run --standalone --nproc-per-node {gpus}"
    return several if gpus > 1 else ""


def decoders():
    """Return how many processes decode full-size images; more or fewer change no result."""
    return min(site.cpus_per_gpu, os.cpu_count())


def gpu_or_permission(wildcards):
    """Refuse to start on weeks of work where no GPU is seen; gives no file of its own."""
    recipe = plan.runs[wildcards.run].recipe.name
    here = about_to_run() and workflow.local_exec
    if here and plan.configuration.needs_gpu(recipe) and not sees_gpu():
        if plan.reasons(plan.train(wildcards.run)):
            refuse(
                f"the recipe {recipe} needs a GPU, and none is seen here: "
                "try `snakemake --profile profiles/quick`, which takes minutes, "
                "send the jobs to a cluster with `snakemake --profile profiles/slurm`, "
                "or train on the processor all the same with `--config allow_cpu=true`."
            )
    return []
