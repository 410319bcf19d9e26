"""What jobs ask for: enough for what they do, and more at each attempt."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.iocontainers import Wildcards

from spatialdep.cluster.estimates import Images, table_seconds
from spatialdep.cluster.resources import (
    SAFETY,
    RuleResources,
    evaluation,
    preparation,
    training,
)
from spatialdep.cluster.site import Site
from spatialdep.specification.run import Recipe, RunSpecification

ROOT = Path(__file__).parents[2]
RULES = {
    re.split(r"[ :]", rule)[1]: rule
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for rule in re.split(r"^(?=rule )|^use (?=rule )", path.read_text("utf-8"), flags=re.M)[1:]
}
DIGITS = Images(1_497, 300, 32)
CIFAR = Images(50_000, 10_000, 32)
IMAGENET = Images(1_281_167, 50_000, 224)


def run(architecture="vgg16", size=32, epochs=300, gpus=1, width=1.0) -> RunSpecification:
    return RunSpecification(
        dataset="d",
        image_size=size,
        architecture=architecture,
        width=width,
        recipe=Recipe(name="r", epochs=epochs, gpus=gpus),
    )


def test_digits_and_imagenet_are_different_jobs():
    site = Site(gpu_model="h100", max_runtime=100_000)
    small = training(run(width=0.25, epochs=6), DIGITS, site)
    large = training(run("resnet152", 224, epochs=90, gpus=4), IMAGENET, site)
    assert small["runtime"] <= 10
    assert large["runtime"] > 60 * small["runtime"]
    assert large["mem_mb"] > 4 * small["mem_mb"]
    assert (small["gpu"], large["gpu"]) == (1, 4)
    assert large["cpus_per_task"] == 4 * small["cpus_per_task"]
    assert large["nodes"] == small["nodes"] == 1


def test_time_limit_leaves_room_over_the_estimate():
    site = Site(device="v100", max_runtime=100_000)
    asked = training(run(), CIFAR, site)["runtime"]
    assert asked == math.ceil(SAFETY * table_seconds(run(), CIFAR, site) / 60)


def test_runtime_and_memory_grow_with_attempts_up_to_the_partitions_limit():
    site = Site(device="v100", max_runtime=600)
    asked = [training(run(), CIFAR, site, attempt) for attempt in (1, 2, 3, 4, 5, 6)]
    runtimes = [each["runtime"] for each in asked]
    memory = [each["mem_mb"] for each in asked]
    assert runtimes[1] == 2 * runtimes[0]
    assert runtimes == sorted(runtimes)
    assert runtimes[-1] == 600
    assert memory == sorted(set(memory))


def test_whole_gpus_by_model_and_shared_ones_by_shards():
    whole = training(run(), CIFAR, Site(gpu_model="h200"))
    assert (whole["gpu"], whole["gpu_model"], whole["gres"]) == (1, "h200", "")
    sharing = Site(gpu_model="h200", runs_per_gpu=2, shards_per_gpu=4)
    shared = training(run(), CIFAR, sharing)
    assert (shared["gpu"], shared["gpu_model"], shared["gres"]) == (0, "", "shard:2")
    assert shared["runtime"] >= whole["runtime"]
    # Several GPUs for one run are never shared.
    assert training(run(gpus=2), CIFAR, sharing)["gpu"] == 2


def test_cluster_without_gpus_asks_for_none():
    asked = training(run(epochs=1), DIGITS, Site(gpus=False, partitions={"cpu": "short"}))
    assert not {"gpu", "gpu_model", "gres", "constraint"} & asked.keys()
    assert asked["slurm_partition"] == "short"


def test_training_is_warned_before_its_limit():
    assert training(run(), CIFAR, Site(grace=90))["slurm_extra"] == "--signal=TERM@90"


def test_evaluation_is_shorter_than_training_and_uses_one_gpu():
    site = Site(device="v100")
    asked = evaluation(run(gpus=4), CIFAR, passes=10, site=site)
    assert asked["gpu"] == 1
    assert asked["runtime"] < training(run(), CIFAR, site)["runtime"]


def test_preparation_grows_with_the_dataset_and_needs_no_gpu():
    small, large = preparation(180, Site()), preparation(16_000, Site())
    assert "gpu" not in small
    assert large["runtime"] > small["runtime"]
    assert large["mem_mb"] > small["mem_mb"]


def functions(site: Site) -> RuleResources:
    return RuleResources(site, lambda path: (run(epochs=6), DIGITS), passes=10, gpus={1})


@pytest.mark.parametrize(
    "site",
    [
        Site(),
        Site(partitions={"gpu": "g"}, account="a", qos="q", constraint="c", gpu_model="h200"),
        Site(gpus=False),
        Site(runs_per_gpu=2, shards_per_gpu=2),
    ],
)
def test_rules_ask_for_what_their_jobs_need(site):
    wildcards = Wildcards(fromdict={"run": "r", "view": "trained"})
    asked = functions(site)
    for one, whole in (
        (asked.train(), training(run(epochs=6), DIGITS, site, 2)),
        (asked.evaluate(), evaluation(run(epochs=6), DIGITS, 10, site, 2)),
        (asked.prepare(lambda wildcards: 180.0), preparation(180, site, 2)),
    ):
        for attempt in (1, 2):
            given = {
                name: value(wildcards, attempt) if callable(value) else value
                for name, value in one.items()
            }
            assert (given == whole) == (attempt == 2)


@pytest.mark.parametrize("gpus", [1, 4])
def test_trainings_on_one_and_on_several_gpus_ask_for_their_own_number(gpus):
    specification = run(gpus=gpus)
    site = Site(runs_per_gpu=2, shards_per_gpu=2)
    both = RuleResources(
        site,
        lambda path: (specification, IMAGENET),
        passes=10,
        gpus={1, 4},
    ).train()
    wildcards = Wildcards(fromdict={"run": "r"})
    given = {
        name: value(wildcards, 1) if callable(value) else value for name, value in both.items()
    }
    assert given == training(specification, IMAGENET, site)


def test_only_short_trainings_share_their_allocation_with_their_own_evaluation():
    training_job = SimpleNamespace(run="d/r/seed0")
    own = SimpleNamespace(run="d/r/seed0", view="trained")
    other = SimpleNamespace(run="d/r/seed0", view="as_none")
    group = functions(Site(evaluate_with_training=True)).group()
    assert group(training_job) == group(own) == "d_r_seed0"
    assert group(other) is None
    assert functions(Site()).group() is None
    long = RuleResources(
        Site(evaluate_with_training=True, device="v100"),
        lambda path: (run(), IMAGENET),
        passes=10,
        gpus={1},
    )
    assert long.group()(training_job) is None


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_stays_on_the_login_node_or_says_what_it_needs(rule):
    assert ("localrule: True" in RULES[rule]) != ("resources:" in RULES[rule])


def test_local_profile_limits_what_runs_on_a_gpu():
    profile = yaml.safe_load((ROOT / "profiles" / "local" / "config.yaml").read_text("utf-8"))
    for limit in profile["resources"]:
        name, _, number = limit.partition("=")
        assert 0 < training(run(), CIFAR, Site())[name] <= int(number)
