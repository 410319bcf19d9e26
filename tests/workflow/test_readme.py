"""What the README tells to type does what it says."""

import re
from pathlib import Path

import pytest
import yaml
from project import ROOT, copy_project, planned, snakemake

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_operation_is_added_as_the_readme_says(finished: Path, project: Path) -> None:
    name, code = re.search(r"<!-- operation: (\S+) -->\n```python\n(.*?)```", README, re.S).groups()
    (project / "workflow/spatialdep/spatial_ops/operations" / name).write_text(code)
    path = project / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["experiments"]["vgg"]["operations"].append(Path(name).stem)
    path.write_text(yaml.safe_dump(config, sort_keys=False))

    run = f"digits/tiny/vgg16-w0.0625/{Path(name).stem}/last4/seed0"
    trained = {job for job in planned(project) if job.startswith(("Train", "Evaluate"))}
    assert trained == {f"Train {run}", f"Evaluate {run} trained"}
    snakemake(project, "--cores", "2")
    assert run in (project / "results/tables/vgg/runs.csv").read_text()
    assert planned(project) == set()


def test_each_named_target_can_be_planned(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    commands = re.findall(r"^\| `snakemake (.*?)` \|", README, re.M)
    assert len(commands) >= 6
    for command in commands:
        snakemake(project, "-n", *command.split(), "--quiet", "all")


def test_the_two_commands_are_single_lines() -> None:
    for name in ("run", "test"):
        block = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", README, re.S).group(1)
        assert len(block.strip().splitlines()) == 1
