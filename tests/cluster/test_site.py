"""The site's description: what is accepted, what is refused and in which words."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from spatialdep.cluster.site import SCHEMA, Site, make_site, read_site
from spatialdep.errors import UserError

ROOT = Path(__file__).parents[2]


def test_schema_and_class_know_the_same_keys_and_defaults():
    properties = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["properties"]
    assert set(properties) == {entry.name for entry in dataclasses.fields(Site)}
    assert all(entry.get("description") for entry in properties.values())
    declared = {name: entry["default"] for name, entry in properties.items() if "default" in entry}
    site = Site()
    assert {name: getattr(site, name) for name in declared} == {**declared, "setup": ()}


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster.example.yaml"])
def test_shipped_files_are_valid(name):
    read_site(ROOT / "config" / name)


def test_missing_and_empty_files_mean_the_defaults(tmp_path):
    assert read_site(tmp_path / "none.yaml") == Site()
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    assert read_site(tmp_path / "empty.yaml") == Site()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"partition": "gpu"}, ["unknown key partition", "did you mean partitions"]),
        ({"partitions": {"gpus": "a"}}, ["unknown key partitions.gpus", "gpu"]),
        ({"runs_per_gpu": 0}, ["runs_per_gpu", "0", "minimum"]),
        ({"runs_per_gpu": 2}, ["shards_per_gpu is not given", "sinfo"]),
        ({"runs_per_gpu": 4, "shards_per_gpu": 2}, ["lower runs_per_gpu"]),
        ({"gpus": False, "runs_per_gpu": 2, "shards_per_gpu": 2}, ["gpus is false"]),
        ({"account": "x; rm -rf /"}, ["account", "does not match"]),
        ({"gpu_model": "h200:2"}, ["gpu_model"]),
        ({"max_runtime": "1-00:00:00"}, ["max_runtime", "minutes", "integer"]),
        ({"setup": "module load cuda"}, ["setup", "array"]),
        ({"speed": {"h100": 0}}, ["speed.h100"]),
        ([1], ["object"]),
    ],
)
def test_mistakes_are_named(content, words):
    with pytest.raises(UserError) as caught:
        make_site(content)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_yaml_is_one_sentence(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text("setup: [", encoding="utf-8")
    with pytest.raises(UserError, match="not valid YAML"):
        read_site(path)


@pytest.mark.parametrize(
    ("shards", "runs", "expected"), [(None, 1, 0), (4, 1, 0), (4, 2, 2), (4, 3, 2), (4, 4, 1)]
)
def test_never_more_runs_on_a_gpu_than_configured(shards, runs, expected):
    site = Site(runs_per_gpu=runs, shards_per_gpu=shards)
    assert site.shards_per_run == expected
    if expected:
        assert shards // expected <= runs


def test_prefix_carries_modules_and_scratch():
    site = Site(setup=("module load cuda",), scratch="/scratch/$USER")
    assert site.shell_prefix == 'module load cuda; export SPATIALDEP_SCRATCH="/scratch/$USER"; '
    assert Site().shell_prefix == ""
