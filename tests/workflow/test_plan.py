"""What each figure's plan holds: exactly the jobs that it needs."""

from pathlib import Path

import pytest
from project import copy_project, counts, snakemake


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without any results."""
    return copy_project(tmp_path_factory.mktemp("fresh") / "project")


def runs(n: int) -> dict[str, int]:
    return {"train": n, "evaluate": n, "collect": 1, "figure": 1}


def test_the_papers_first_figure(fresh: Path) -> None:
    plan = counts(fresh, "results/figures/vgg16_cifar100.pdf")
    # 13 values of k for two methods and one baseline, three seeds each.
    assert plan == {"fetch": 1, "verify": 1, "prepare": 1, **runs((2 * 13 + 1) * 3)}


def test_the_digits_figure(fresh: Path) -> None:
    plan = counts(fresh, "results/figures/vgg16_digits.pdf")
    assert plan == {"verify": 1, "prepare": 1, **runs((2 * 4 + 1) * 2)}


def test_the_quick_profile_makes_the_digits_figure_and_its_table(fresh: Path) -> None:
    plan = counts(fresh, "--profile", "profiles/quick")
    once = ("verify", "prepare", "table", "collect_all", "claims", "overview")
    assert plan == {**dict.fromkeys(once, 1), **runs(18)}


def test_the_papers_grid_is_refused_without_a_gpu(fresh: Path) -> None:
    if list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has a GPU")
    printed = snakemake(fresh, "results/figures/vgg16_cifar100.pdf", check=False)
    assert "profiles/quick" in printed
    assert "allow_cpu" in printed
    assert "Traceback" not in printed
    assert not (fresh / "results/data").exists()


def test_the_command_line_can_allow_the_processor_and_change_numbers(fresh: Path) -> None:
    target = "results/figures/vgg16_digits.pdf"
    recipe = "recipes={digits: {needs_gpu: true, epochs: 3, batch_size: 64, width: 1}}"
    printed = snakemake(fresh, target, "-n", "--config", recipe, check=False)
    assert "recipes.digits: unknown key 'width'" in printed
    recipe = recipe.replace(", width: 1", "")
    printed = snakemake(fresh, target, "-n", "-p", "--config", recipe, "allow_cpu=true")
    assert "--epochs 3 --batch-size 64" in printed


def test_asking_about_the_papers_grid_needs_no_gpu(fresh: Path) -> None:
    target = "results/figures/vgg16_cifar100.pdf"
    assert target in snakemake(fresh, "--summary", target)


def test_a_run_that_no_experiment_names_is_refused(fresh: Path) -> None:
    target = "results/runs/digits/digits/vgg16/none/last0/seed99/weights.safetensors"
    printed = snakemake(fresh, "-n", target, check=False)
    assert "is not in the configuration" in printed
    assert "Traceback" not in printed
