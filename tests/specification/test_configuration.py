"""A bad configuration is refused with a sentence that names the key; a good one is as it says."""

import copy
from pathlib import Path

import pytest
import yaml

from spatialdep.errors import UserError
from spatialdep.specification.configuration import from_command_line, read_configuration, read_yaml

GOOD = {
    "datasets": {"digits": {"kind": "digits"}, "cifar100": {"kind": "cifar100"}},
    "recipes": {"short": {"epochs": 3, "milestones": [1, 2]}},
    "experiments": {
        "small": {
            "dataset": "digits",
            "architecture": "vgg16",
            "recipe": "short",
            "width": 0.25,
            "operations": ["spatial_shuffle", "gap_fc"],
            "last_k": [0, 4],
            "seeds": [0, 1],
        }
    },
    "figures": {"small": {"kind": "accuracy_over_last_k", "experiments": ["small"]}},
}


def with_change(path: str, value: object) -> dict:
    """Return the good configuration with one key set, or removed where the value is None."""
    config = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    place = config
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return config


SMALL = "experiments/small"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("recipez", {}, "unknown key 'recipez'.*Did you mean 'recipes'"),
        ("figures", None, "'figures' is missing"),
        ("recipes/short/epochs", "many", r"recipes\.short\.epochs.*integer.*passes over"),
        ("recipes/short/epochs", 0, r"recipes\.short\.epochs"),
        ("recipes/short/epochs", None, r"recipes\.short.*'epochs' is missing"),
        ("recipes/short/learning_rat", 0.1, r"recipes\.short.*learning_rat.*'learning_rate'"),
        ("recipes/short/schedule", "cosine", r"recipes\.short\.schedule.*cosine"),
        ("recipes/short/milestones", [2, 1], r"recipes\.short\.milestones.*must rise"),
        ("recipes/short/milestones", [1, 3], r"stay below epochs \(3\)"),
        ("recipes/short/weight_decay", -1, r"recipes\.short\.weight_decay"),
        ("datasets/digits/kind", "digit", r"datasets\.digits\.kind.*Did you mean 'digits'"),
        ("datasets/cifar100/archiv", "x", r"datasets\.cifar100.*archiv.*'archive'"),
        ("datasets/cifar100/checksum", "sha1:00", r"datasets\.cifar100\.checksum"),
        (f"{SMALL}/dataset", "mnist", r"experiments\.small\.dataset.*'mnist' is not known"),
        (f"{SMALL}/recipe", "shor", r"experiments\.small\.recipe.*Did you mean 'short'"),
        (f"{SMALL}/architecture", "vgg61", r"experiments\.small.*vgg61.*vgg16"),
        (f"{SMALL}/operations", ["spatial_shufle"], r"experiments\.small.*spatial_shufle"),
        (f"{SMALL}/operations", [], r"experiments\.small\.operations"),
        (f"{SMALL}/last_k", [14], r"experiments\.small.*14.*13"),
        (f"{SMALL}/last_k", [-1], r"experiments\.small\.last_k"),
        (f"{SMALL}/last_k", None, r"experiments\.small"),
        (f"{SMALL}/seeds", [1, 1], r"experiments\.small\.seeds"),
        (f"{SMALL}/width", 0, r"experiments\.small\.width"),
        (f"{SMALL}/options", {"downsampling": "skipped"}, r"experiments\.small.*downsampling"),
        (f"{SMALL}/options", {"colour": "red"}, r"experiments\.small.*options.*colour"),
        ("figures/small/kind", "pie", r"figures\.small\.kind.*'pie' is not known"),
        ("figures/small/experiments", ["big"], r"figures\.small\.experiments.*'big'"),
        ("targets", ["big"], r"targets.*'big'"),
        ("allow_cpu", "perhaps", "allow_cpu"),
    ],
)
def test_refused_with_a_sentence(path: str, value: object, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as error:
        read_configuration(with_change(path, value))
    assert "\n" not in str(error.value)


def test_the_command_line_means_what_a_file_means() -> None:
    # As Snakemake hands on: allow_cpu=true 'recipes={short: {…}}'.
    given = {
        "allow_cpu": "true",
        "passes": 3,
        "recipes": {"short": {"epochs": "2", "learning_rate": "0.1", "milestones": ["1"]}},
        "datasets": {"cifar100": {"archive": "@odd: [name", "checksum": "sha256:00"}},
    }
    assert from_command_line(given) == {
        "allow_cpu": True,
        "passes": 3,
        "recipes": {"short": {"epochs": 2, "learning_rate": 0.1, "milestones": [1]}},
        "datasets": {"cifar100": {"archive": "@odd: [name", "checksum": "sha256:00"}},
    }


def test_single_units_of_gap_fc_are_refused() -> None:
    config = with_change(f"{SMALL}/last_k", None)
    config["experiments"]["small"]["units"] = ["conv41"]
    with pytest.raises(UserError, match=r"experiments\.small.*gap_fc"):
        read_configuration(config)


def test_the_baseline_is_shared_by_all_operations() -> None:
    views = read_configuration(GOOD).views["small"]
    runs = [view.run.id for view in views]
    assert len(runs) == len(set(runs)) == 2 * (1 + 2)
    assert runs[0] == "digits/short/vgg16-w0.25/none/last0/seed0"
    assert "digits/short/vgg16-w0.25/gap_fc/last4/seed1" in runs


def test_default_options_leave_no_trace_in_the_identity() -> None:
    config = with_change(f"{SMALL}/operations", ["spatial_shuffle"])
    config["experiments"]["small"]["options"] = {"downsampling": "strided"}
    plain = read_configuration(with_change(f"{SMALL}/operations", ["spatial_shuffle"]))
    assert read_configuration(config).views == plain.views
    config["experiments"]["small"]["options"] = {"downsampling": "pooled"}
    ids = [view.run.id for view in read_configuration(config).views["small"]]
    assert "digits/short/vgg16-w0.25/spatial_shuffle-downsampling_pooled/last4/seed0" in ids


def test_an_option_for_all_reaches_those_that_heed_it() -> None:
    config = with_change(f"{SMALL}/options", {"downsampling": "pooled"})
    ids = {view.run.operation_id for view in read_configuration(config).views["small"]}
    assert ids == {"none", "gap_fc", "spatial_shuffle-downsampling_pooled"}


def test_a_suffix_picked_by_name_is_the_last_k() -> None:
    config = with_change(f"{SMALL}/last_k", None)
    config["experiments"]["small"] |= {
        "operations": ["spatial_shuffle"],
        "units": [["conv52", "conv53"], "conv11"],
    }
    ids = [view.run.units_id for view in read_configuration(config).views["small"]]
    assert set(ids) == {"last0", "last2", "unit-conv11"}


def test_cross_evaluation_adds_views_and_no_runs() -> None:
    plain = read_configuration(with_change(f"{SMALL}/operations", ["spatial_shuffle"]))
    config = with_change(f"{SMALL}/operations", ["spatial_shuffle"])
    config["experiments"]["small"]["evaluate_under"] = ["none", "spatial_shuffle"]
    crossed = read_configuration(config).views["small"]
    assert {v.run for v in crossed} == {v.run for v in plain.views["small"]}
    assert {(v.run.operation, v.id) for v in crossed} == {
        ("none", "trained"),
        ("none", "as_spatial_shuffle_last4"),
        ("spatial_shuffle", "trained"),
        ("spatial_shuffle", "as_none"),
    }


def test_a_figures_grid_holds_only_what_it_uses() -> None:
    config = with_change("recipes/other", {"epochs": 9})
    grid = read_configuration(config).grid(["small"])
    assert grid["recipes"].keys() == {"short"}
    assert grid["image_sizes"] == {"digits": 32}


@pytest.mark.parametrize("path", sorted(Path("config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_is_mapping(path: Path) -> None:
    assert read_yaml(path)


def test_bad_yaml_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: [1,\nb: 2")
    with pytest.raises(UserError, match="not valid YAML") as error:
        read_yaml(path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="does not exist"):
        read_yaml(tmp_path / "none.yaml")


def test_the_paper_is_valid() -> None:
    assert read_configuration(yaml.safe_load(Path("config/config.yaml").read_text())).targets
