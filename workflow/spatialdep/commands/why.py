"""Say in words why each job would run."""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence

from spatialdep import commandline
from spatialdep.specification.configuration import read_configuration
from spatialdep.specification.plan import Plan, PlannedJob


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m spatialdep.commands.why", description=__doc__)
    parser.add_argument("--configuration", required=True, help="the whole configuration as JSON")
    arguments = parser.parse_args(argv)
    plan = Plan(read_configuration(json.loads(arguments.configuration)))
    stale = plan.stale()
    alike: dict[tuple[str, ...], list[PlannedJob]] = defaultdict(list)
    for job, reasons in stale:
        alike[job.rule, *reasons].append(job)
    for (rule, *reasons), jobs in alike.items():
        print(f"{rule}, {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}:")
        for reason in reasons:
            print(f"  because {reason}")
        for job in jobs:
            print(f"    {job.result}")
    plan.save()
    print(f"{len(stale)} jobs would run." if stale else "Everything is up to date.")
    return 0


if __name__ == "__main__":
    commandline.run(main)
