"""After a change, exactly the stale jobs are planned: a table of changes, each with its jobs.

Each row copies a finished project, changes one thing, and compares what `snakemake -n` plans with
the jobs whose result could differ.
"""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from project import planned, snakemake, start_snakemake, with_statement

pytestmark = pytest.mark.slow

VGG_RUNS = ("none/last0", "spatial_shuffle/last4", "gap_fc/last4")
RESNET_RUNS = ("none/last0", "spatial_shuffle/last3")
PACKAGE = "workflow/spatialdep"


def run_id(architecture: str, setting: str, seed: int = 0) -> str:
    return f"digits/tiny/{architecture}-w0.0625/{setting}/seed{seed}"


def evaluation(architecture: str, setting: str, seed: int = 0) -> str:
    return f"Evaluate {run_id(architecture, setting, seed)} trained"


def training(architecture: str, setting: str, seed: int = 0) -> set[str]:
    """The jobs of one run: its training and its evaluation."""
    return {
        f"Train {run_id(architecture, setting, seed)}",
        evaluation(architecture, setting, seed),
    }


def shown(*figures: str, collected: bool = True) -> set[str]:
    """The jobs that make a figure and its table."""
    made = {f"Make the table of {figure}" for figure in figures}
    drawn = {f"Draw {figure}" for figure in figures}
    gathered = {f"Collect the runs of {figure}" for figure in figures if collected}
    return made | drawn | gathered


# What is made of all figures, and of all runs together.
PAGE = {"Put all results onto one page"}
ALL = {"Collect all runs", "Judge the claims by results"} | PAGE
VGG_SHOWN = shown("vgg") | ALL
SHOWN = shown("vgg", "resnet") | ALL
VGG = set().union(*(training("vgg16", setting) for setting in VGG_RUNS)) | VGG_SHOWN
RESNET = set().union(*(training("resnet50", setting) for setting in RESNET_RUNS))
RESNET |= shown("resnet") | ALL
TRAINED = VGG | RESNET
EVALUATED = {job for job in TRAINED if job.startswith("Evaluate")} | SHOWN
EVERYTHING = TRAINED | {"Prepare digits", "Check the sources of digits"}
SHUFFLED = (
    training("vgg16", "spatial_shuffle/last4")
    | training("resnet50", "spatial_shuffle/last3")
    | SHOWN
)


class Change:
    """The changes of the table, on the copy of a finished project in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} does not contain {old!r}"
        path.write_text(text.replace(old, new, 1))

    def edit_function(self, name: str, function: str) -> None:
        """Add a statement that does nothing useful, but is executed, to a function."""
        path = self.folder / PACKAGE / name
        path.write_text(with_statement(path.read_text(), function))

    def config(self, edit: Callable[[dict], object]) -> None:
        path = self.folder / "config/config.yaml"
        config = yaml.safe_load(path.read_text())
        edit(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))

    def pin(self, package: str) -> None:
        """Raise the pin of a package in every requirements file that has it."""
        touched = 0
        for path in (self.folder / "envs").glob("*.txt"):
            lines = path.read_text().splitlines(keepends=True)
            for i, line in enumerate(lines):
                if line.startswith(f"{package}=="):
                    lines[i] = line.replace("==", "==9", 1)
                    touched += 1
            path.write_text("".join(lines))
        assert touched, package

    def modules(self) -> list[Path]:
        return sorted((self.folder / PACKAGE).rglob("*.py"))

    def touch_every_file(self) -> None:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        random.Random(0).shuffle(paths)
        for age, path in enumerate(paths):
            os.utime(path, (1e9 + age, 1e9 + age))

    def comment_every_module(self) -> None:
        for path in self.modules():
            path.write_text(f"{path.read_text()}\n# a comment\n")

    def rewrite_every_docstring(self) -> None:
        for path in self.modules():
            tree = ast.parse(path.read_text())
            documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
            for node in ast.walk(tree):
                if isinstance(node, documented) and ast.get_docstring(node) is not None:
                    node.body[0] = ast.Expr(ast.Constant("Something else."))
            path.write_text(ast.unparse(tree))

    def reformat_every_module(self) -> None:
        command = [sys.executable, "-m", "ruff", "format", "--config", "line-length=60"]
        subprocess.run([*command, "--quiet", PACKAGE], cwd=self.folder, check=True)

    def new_operation(self) -> None:
        operations = self.folder / PACKAGE / "spatial_ops/operations"
        shutil.copy(operations / "spatial_shuffle.py", operations / "another_shuffle.py")

    def remove_records(self) -> None:
        shutil.rmtree(self.folder / ".snakemake")

    def git(self, *arguments: str) -> None:
        someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *someone, *arguments], cwd=self.folder, check=True)

    def branch_and_back(self) -> None:
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "workflow", "config", "envs")
        self.git("commit", "--quiet", "--message=main")
        self.git("checkout", "--quiet", "-b", "other")
        for path in self.modules():
            path.write_text(f"{path.read_text()}\nEDITED = True\n")
        self.git("commit", "--quiet", "--all", "--message=other")
        assert planned(self.folder) == EVERYTHING
        self.git("checkout", "--quiet", "main")

    def copy_results_into_a_clone(self) -> None:
        """Leave what a copy without times leaves: none of Snakemake's records, and any order."""
        self.remove_records()
        self.touch_every_file()

    def new_colour(self) -> None:
        self.replace(f"{PACKAGE}/reporting/style.py", "#0072B2", "#0072B3")

    def reverse_keys(self) -> None:
        def reverse(value: object) -> object:
            if isinstance(value, dict):
                return {key: reverse(value[key]) for key in reversed(value)}
            return value

        path = self.folder / "config/config.yaml"
        config = reverse(yaml.safe_load(path.read_text()))
        path.write_text(yaml.safe_dump(config, sort_keys=False))


def seed_added(config: dict) -> None:
    config["experiments"]["vgg"]["seeds"].append(1)


def figure_added(config: dict) -> None:
    config["figures"]["more"] = dict(config["figures"]["vgg"])
    config["targets"].append("more")


def k_added(config: dict) -> None:
    config["experiments"]["vgg"]["last_k"].append(5)


SECOND_SEED = set().union(*(training("vgg16", setting, 1) for setting in VGG_RUNS))
NEW_K = training("vgg16", "spatial_shuffle/last5") | training("vgg16", "gap_fc/last5")
GAP = training("vgg16", "gap_fc/last4")
RUN_FOLDER = f"results/runs/{run_id('vgg16', 'gap_fc/last4')}"
EVALUATION_FOLDER = f"results/evaluations/{run_id('vgg16', 'gap_fc/last4')}/trained"

TABLE: dict[str, tuple[Callable[[Change], object], set[str]]] = {
    "nothing": (lambda change: None, set()),
    "touch every file": (Change.touch_every_file, set()),
    "comment every module": (Change.comment_every_module, set()),
    "rewrite every docstring": (Change.rewrite_every_docstring, set()),
    "reformat every module": (Change.reformat_every_module, set()),
    "one operation": (
        lambda change: change.edit_function(
            "spatial_ops/operations/spatial_shuffle.py", "spatial_shuffle"
        ),
        SHUFFLED,
    ),
    "another operation": (
        lambda change: change.edit_function("spatial_ops/operations/gap_fc.py", "operation"),
        GAP | VGG_SHOWN,
    ),
    "an operation that nobody uses": (
        lambda change: change.edit_function("spatial_ops/operations/row_shuffle.py", "row_shuffle"),
        set(),
    ),
    "the VGG": (
        lambda change: change.edit_function("architectures/vgg.py", "build"),
        VGG,
    ),
    "the ResNet": (
        lambda change: change.edit_function("architectures/resnet.py", "build"),
        RESNET,
    ),
    "the training loop": (
        lambda change: change.edit_function("training/loop.py", "Training.finish"),
        TRAINED,
    ),
    "the augmentation": (
        lambda change: change.edit_function("training/augmentation.py", "crop_flip"),
        TRAINED,
    ),
    "a dataset's preparation": (
        lambda change: change.edit_function("datasets/digits.py", "prepare"),
        EVERYTHING,
    ),
    "another dataset's preparation": (
        lambda change: change.edit_function("datasets/cifar100.py", "prepare"),
        set(),
    ),
    "the evaluation": (
        lambda change: change.edit_function("evaluation/passes.py", "evaluate"),
        EVALUATED,
    ),
    "the collecting": (
        lambda change: change.edit_function("commands/collect.py", "main"),
        SHOWN,
    ),
    "a figure's drawing": (
        lambda change: change.edit_function("commands/figure.py", "main"),
        {"Draw vgg", "Draw resnet"} | PAGE,
    ),
    "a figure's colour": (
        Change.new_colour,
        # A figure's kind says in one file what its picture and its table show.
        shown("vgg", "resnet", collected=False) | PAGE,
    ),
    "a table's format": (
        lambda change: change.edit_function("commands/table.py", "main"),
        {"Make the table of vgg", "Make the table of resnet"} | PAGE,
    ),
    "a figure's title": (
        lambda change: change.config(lambda c: c["figures"]["vgg"].update(title="Digits")),
        shown("vgg", collected=False) | PAGE,
    ),
    "a recipe's value": (
        lambda change: change.config(lambda c: c["recipes"]["tiny"].update(learning_rate=0.2)),
        TRAINED,
    ),
    "a recipe that nobody uses": (
        lambda change: change.config(lambda c: c["recipes"]["cifar"].update(learning_rate=0.2)),
        set(),
    ),
    "a recipe's hint about GPUs": (
        lambda change: change.config(lambda c: c["recipes"]["tiny"].update(needs_gpu=False)),
        set(),
    ),
    "the passes of an evaluation": (
        lambda change: change.config(lambda c: c.update(passes=3)),
        EVALUATED,
    ),
    "a seed more": (lambda change: change.config(seed_added), SECOND_SEED | VGG_SHOWN),
    "a value of k more": (lambda change: change.config(k_added), NEW_K | VGG_SHOWN),
    "a figure more": (lambda change: change.config(figure_added), shown("more") | PAGE),
    "another order of keys": (Change.reverse_keys, set()),
    "the pin of torch": (lambda change: change.pin("torch"), TRAINED),
    "the pin of scikit-learn": (lambda change: change.pin("scikit-learn"), EVERYTHING),
    "the pin of matplotlib": (
        lambda change: change.pin("matplotlib"),
        shown("vgg", "resnet", collected=False) | PAGE,
    ),
    "the pin of pandas": (lambda change: change.pin("pandas"), SHOWN),
    "the pin of pytest": (lambda change: change.pin("pytest"), set()),
    "the pin of snakemake": (lambda change: change.pin("snakemake"), set()),
    "a claim's margin": (
        lambda change: change.replace("config/claims.yaml", "tolerance: 1.0", "tolerance: 2.0"),
        {"Judge the claims by results"} | PAGE,
    ),
    "a new operation": (Change.new_operation, set()),
    "a deleted model": (
        lambda change: (change.folder / RUN_FOLDER / "weights.safetensors").unlink(),
        GAP | VGG_SHOWN,
    ),
    "a deleted figure": (
        lambda change: (change.folder / "results/figures/vgg.png").unlink(),
        {"Draw vgg"} | PAGE,
    ),
    "a deleted stamp": (
        lambda change: (change.folder / RUN_FOLDER / "stamp.json").unlink(),
        GAP | VGG_SHOWN,
    ),
    "an edited model": (
        lambda change: (change.folder / RUN_FOLDER / "weights.safetensors").write_bytes(b"no"),
        GAP | VGG_SHOWN,
    ),
    "an edited evaluation": (
        lambda change: (change.folder / EVALUATION_FOLDER / "evaluation.json").write_text("{}"),
        {evaluation("vgg16", "gap_fc/last4")} | VGG_SHOWN,
    ),
    "an edited table": (
        lambda change: (change.folder / "results/tables/vgg/runs.csv").write_text("run\n"),
        shown("vgg") | PAGE,
    ),
    "a rule that names one more input": (
        lambda change: change.replace(
            "workflow/rules/evaluation.smk",
            "    output:\n",
            '        history="results/runs/{run}/history.csv",\n    output:\n',
        ),
        set(),
    ),
    "a branch and back": (Change.branch_and_back, set()),
    "no .snakemake": (Change.remove_records, set()),
    "results copied into a fresh clone": (Change.copy_results_into_a_clone, set()),
}


@pytest.mark.parametrize("name", TABLE)
def test_exactly_the_stale_jobs_are_planned(name: str, project: Path) -> None:
    change, expected = TABLE[name]
    change(Change(project))
    assert planned(project) == expected


AFTER_LOSS = ["one operation", "the training loop", "a recipe's value", "the pin of matplotlib"]


@pytest.mark.parametrize("name", AFTER_LOSS)
def test_the_same_where_snakemake_has_lost_its_records(name: str, project: Path) -> None:
    change, expected = TABLE[name]
    Change(project).copy_results_into_a_clone()
    change(Change(project))
    assert planned(project) == expected


def test_times_mean_nothing_where_files_are_too_large_for_snakemake_to_hash(project: Path) -> None:
    Change(project).touch_every_file()
    assert planned(project, "--max-checksum-file-size", "0") == set()


def test_a_forced_job_takes_those_along_that_need_it(project: Path) -> None:
    Change(project).copy_results_into_a_clone()
    best = f"{RUN_FOLDER}/best.safetensors"
    assert planned(project, "--forcerun", best) == GAP | VGG_SHOWN


def test_a_renamed_variable_may_rerun_the_jobs_that_use_it(project: Path) -> None:
    path = project / PACKAGE / "training/augmentation.py"
    tree = ast.parse(path.read_text())
    function = next(n for n in tree.body if getattr(n, "name", "") == "crop_flip")
    names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
    local = next(name.id for name in names if isinstance(name.ctx, ast.Store))
    for name in names:
        name.id = "renamed" if name.id == local else name.id
    path.write_text(ast.unparse(tree))
    assert planned(project) in (set(), TRAINED)


def test_why_names_functions_keys_and_versions(project: Path) -> None:
    change = Change(project)
    change.edit_function("spatial_ops/operations/spatial_shuffle.py", "spatial_shuffle")
    change.config(lambda config: config["recipes"]["tiny"].update(learning_rate=0.2))
    change.pin("matplotlib")
    said = snakemake(project, "why")
    assert "spatial_ops/operations/spatial_shuffle.py: spatial_shuffle changed" in said
    assert "recipe.learning_rate 0.1 → 0.2" in said
    assert "matplotlib " in said
    assert " is made anew" in said


def test_a_run_after_a_change_leaves_nothing_to_do(project: Path) -> None:
    Change(project).edit_function("spatial_ops/operations/gap_fc.py", "operation")
    snakemake(project, "--cores", "2")
    assert planned(project) == set()
    stamp = json.loads((project / RUN_FOLDER / "stamp.json").read_text())
    assert "spatialdep.spatial_ops.operations.gap_fc" in stamp["code"]["files"]


def test_code_edited_while_a_job_runs_is_not_taken_for_what_it_ran(project: Path) -> None:
    change, stamp = Change(project), project / RUN_FOLDER / "stamp.json"
    before = json.loads(stamp.read_text())["code"]["version"]
    shutil.rmtree(project / "results/checkpoints")
    target = f"{RUN_FOLDER}/weights.safetensors"
    running = start_snakemake(project, "--cores", "1", "--forcerun", target, "--", target)
    # Taken after the code was hashed, and before anything is computed.
    while not any((project / "results").glob("checkpoints/**/*lock*")):
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.01)
    change.edit_function("training/loop.py", "Training.finish")
    printed, _ = running.communicate()
    assert running.returncode == 0, printed
    assert json.loads(stamp.read_text())["code"]["version"] == before
    assert planned(project) == TRAINED


def test_cached_results_come_back_without_training(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    target = f"{RUN_FOLDER}/weights.safetensors"
    arguments = ("--cores", "2", "--cache", "train", "--", target)
    name = f"{PACKAGE}/spatial_ops/operations/gap_fc.py"
    before = (project / name).read_text()
    snakemake(project, "--forcerun", target, *arguments)
    first = json.loads((project / RUN_FOLDER / "stamp.json").read_text())
    Change(project).edit_function("spatial_ops/operations/gap_fc.py", "operation")
    snakemake(project, *arguments)
    second = json.loads((project / RUN_FOLDER / "stamp.json").read_text())
    assert first["code"]["version"] != second["code"]["version"]
    (project / name).write_text(before)
    snakemake(project, *arguments)
    # Not a run that ends alike, but the very one that was trained first.
    assert json.loads((project / RUN_FOLDER / "stamp.json").read_text()) == first
    assert planned(project, target) == set()
