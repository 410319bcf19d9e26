"""Write the outputs and stamps that every job of config/config.yaml would have, without the work.

Only benchmarks/planning.py uses it, in a temporary copy: the files are empty, the stamps are real.
"""

from pathlib import Path

import yaml

from spatialdep.provenance import stamp as stamps
from spatialdep.specification.configuration import read_configuration
from spatialdep.specification.plan import Plan

BESIDE_STAMP = {
    "train": ["weights.safetensors", "best.safetensors", "history.csv", "run.json"],
    "evaluate": ["evaluation.json", "correct.npz"],
    "collect": ["runs.csv", "images.npz", "histories.csv", "missing.csv"],
}
BY_FIGURE = {"table": ["csv", "md", "tex"], "figure": ["pdf", "svg", "png"]}

plan = Plan(read_configuration(yaml.safe_load(Path("config/config.yaml").read_text())))
# This process has imported the planning, not what the jobs import.
stamps.loaded_modules = set

for job in plan.jobs():
    folder = job.stamp.parent
    folder.mkdir(parents=True, exist_ok=True)
    if job.rule in BY_FIGURE:
        name = job.stamp.name.removesuffix(".stamp.json")
        outputs = [folder / f"{name}.{ending}" for ending in BY_FIGURE[job.rule]]
    else:
        outputs = [folder / name for name in BESIDE_STAMP.get(job.rule, ["dataset.json"])]
    for output in outputs:
        output.touch()
    begun = stamps.begin(
        job.command, selection=job.selection, configuration=job.configuration, inputs=job.inputs
    )
    begun.finish(job.stamp, outputs)
    if job.rule == "prepare":
        (folder / "arrays").mkdir()
