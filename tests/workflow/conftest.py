"""A finished small project, made once, that each test may copy and change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from project import copy_project, snakemake

# Every stage and both families of networks, as small as they get.
TINY = {
    "recipes": {"tiny": {"epochs": 1, "batch_size": 100, "augmentation": "crop_flip"}},
    "experiments": {
        "vgg": {
            "dataset": "digits",
            "architecture": "vgg16",
            "recipe": "tiny",
            "width": 0.0625,
            "operations": ["spatial_shuffle", "gap_fc"],
            "last_k": [0, 4],
            "seeds": [0],
        },
        "resnet": {
            "dataset": "digits",
            "architecture": "resnet50",
            "recipe": "tiny",
            "width": 0.0625,
            "operations": ["spatial_shuffle"],
            "last_k": [3],
            "seeds": [0],
        },
    },
    "figures": {
        "vgg": {"kind": "accuracy_over_last_k", "experiments": ["vgg"]},
        "resnet": {"kind": "accuracy_over_last_k", "experiments": ["resnet"]},
    },
    "targets": ["vgg", "resnet"],
    "passes": 2,
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny configuration has run to its end."""
    folder = copy_project(tmp_path_factory.mktemp("finished") / "project")
    config = yaml.safe_load((folder / "config/config.yaml").read_text())
    for key, value in TINY.items():
        config[key] = {**config[key], **value} if isinstance(config.get(key), dict) else value
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    tracer = folder / "workflow/sitecustomize.py"
    shutil.copy(Path(__file__).parent / "call_tracer.py", tracer)
    snakemake(folder, "--cores", "2")
    tracer.unlink()
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project, times and all."""
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


@pytest.fixture
def edit(project: Path) -> Callable[[str, str, str], None]:
    """Return a function that replaces a text in one of the project's files."""

    def replace(name: str, old: str, new: str) -> None:
        path = project / name
        text = path.read_text()
        assert old in text, f"{name} does not contain {old!r}"
        path.write_text(text.replace(old, new, 1))

    return replace
