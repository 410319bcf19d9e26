"""Write the outputs and stamps that every job of config/config.yaml would have, without the work.

Only benchmarks/planning.py uses it, in a temporary copy: the files are empty, the stamps are real.
Which files those are is read from Snakemake, and which stamps from the plan; the two must agree.
"""

import csv
import subprocess
import sys
from pathlib import Path

import yaml

from spatialdep.provenance import stamp as provenance
from spatialdep.specification.configuration import read_configuration
from spatialdep.specification.plan import Plan


def main() -> None:
    plan = Plan(read_configuration(yaml.safe_load(Path("config/config.yaml").read_text())))
    # This process has imported the planning, not what the jobs import.
    provenance.loaded_modules = set
    outputs = outputs_by_stamp()
    jobs = plan.jobs()
    assert {job.stamp for job in jobs} == outputs.keys()
    for job in jobs:
        for output in outputs[job.stamp]:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.touch()
        begun = provenance.begin(
            job.command, selection=job.selection, configuration=job.configuration, inputs=job.inputs
        )
        begun.finish(job.stamp, outputs[job.stamp])


def outputs_by_stamp() -> dict[Path, list[Path]]:
    """Return the files that each job makes beside its stamp; fetching has no stamp."""
    command = [sys.executable, "-m", "snakemake", "--summary"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found, files = {}, []
    # Job by job, each with its stamp as the last of its outputs.
    for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t"):
        output = Path(row["output_file"])
        if output.name.endswith("stamp.json"):
            found[output], files = files, []
        elif row["rule"] != "fetch":
            files.append(output)
    assert not files, f"a job makes {files} and no stamp"
    return found


if __name__ == "__main__":
    main()
