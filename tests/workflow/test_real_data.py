"""Real photographs through the whole pipeline, in every form in which a dataset may be brought."""

import csv
import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from digest import sha256
from ilsvrc_files import write_devkit, write_train, write_validation
from project import copy_project, snakemake

pytestmark = pytest.mark.slow

CIFAR100 = "sha256:317895219f036b810b12e9562b44e2c0650de3e52beda7825df71a1ebad37719"
# In the order of their IDs, which is not their sorted order.
WNIDS = ["n03255030", "n01440764", "n02119789", "n02100735", "n01443537"]
IMAGES_A_CLASS = 12


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy of the project, which takes its prepared data with it when the test is over."""
    folder = copy_project(tmp_path / "project")
    yield folder
    shutil.rmtree(folder)


def configure(folder: Path, **changes: dict[str, Any]) -> None:
    """Replace whole sections of the configuration."""
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**config, **changes}), encoding="utf-8")


def tidy_rows(folder: Path, figure: str) -> list[dict[str, str]]:
    with (folder / f"results/tables/{figure}/runs.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_cifar100_from_a_mirror(project: Path, test_data: Path) -> None:
    """Two epochs of a narrow network on all 50,000 images; it must have begun to learn."""
    mirror = test_data / "cifar100/cifar-100-python.tar.xz"
    configure(
        project,
        datasets={"cifar100": {"kind": "cifar100", "archive": str(mirror), "checksum": CIFAR100}},
        recipes={"short": {"epochs": 2, "learning_rate": 0.05, "precision": "float32"}},
        experiments={
            "short": {
                "dataset": "cifar100",
                "architecture": "vgg16",
                "width": 0.0625,
                "recipe": "short",
                "operations": ["gap_fc"],
                "last_k": [0, 10],
                "seeds": [0],
            }
        },
        figures={"short": {"kind": "accuracy_over_last_k", "experiments": ["short"]}},
        targets=["short"],
    )
    snakemake(project, "--cores", "2", "results/figures/short.pdf", "results/tables/short.csv")
    facts = json.loads((project / "results/data/cifar100/dataset.json").read_text("utf-8"))
    assert [facts["splits"][name]["images"] for name in ("train", "test")] == [50_000, 10_000]
    rows = [row for row in tidy_rows(project, "short") if row["checkpoint"] == "last"]
    assert {row["last_k"] for row in rows} == {"0", "10"}
    # A hundred classes: chance is 1 %.
    assert all(float(row["top1"]) > 5 for row in rows), rows
    again = snakemake(project, "--cores", "2", "results/figures/short.pdf")
    assert "Nothing to be done" in again


@pytest.fixture
def archives(tmp_path: Path, samples: list[Path]) -> dict[str, Path]:
    """The three files of ILSVRC-2012, of real photographs and five classes."""
    paths = {name: tmp_path / f"{name}.tar" for name in ("train", "validation", "devkit")}
    taken = iter(samples)
    classes = {
        wnid: {path.name: path.read_bytes() for path in islice(taken, IMAGES_A_CLASS)}
        for wnid in WNIDS
    }
    held_out = [next(taken).read_bytes() for _ in WNIDS * 2]
    write_train(paths["train"], classes)
    write_validation(paths["validation"], held_out)
    write_devkit(paths["devkit"], WNIDS, [1, 2, 3, 4, 5] * 2)
    # The same images as class folders, for imagefolder.
    for wnid, files in classes.items():
        for split, held in (("train", files), ("test", dict(list(files.items())[:2]))):
            folder = tmp_path / "folder" / split / wnid
            folder.mkdir(parents=True)
            for name, data in held.items():
                (folder / name).write_bytes(data)
    return paths


def test_imagenet_in_every_form(project: Path, tmp_path: Path, archives: dict[str, Path]) -> None:
    """Originals in shards, the published files made from them, full size, and class folders."""
    originals = {name: str(path) for name, path in archives.items()}
    checksums = {name: sha256(path) for name, path in archives.items()}
    datasets: dict[str, dict[str, Any]] = {
        "small": {"kind": "small_imagenet", **originals, "checksums": checksums, "shards": 3},
        "full": {"kind": "imagenet", **originals, "checksums": checksums, "image_size": 64},
        "folders": {
            "kind": "imagefolder",
            "train": str(tmp_path / "folder/train"),
            "test": str(tmp_path / "folder/test"),
            "image_size": 64,
        },
    }
    recipes = {
        "short": {"epochs": 1, "batch_size": 20, "precision": "float32"},
        "short_full": {
            "epochs": 1,
            "batch_size": 20,
            "precision": "float32",
            "augmentation": "random_resized_crop",
        },
    }

    def train(names: list[str]) -> None:
        experiments = {
            name: {
                "dataset": name,
                "architecture": "resnet50" if name == "full" else "vgg16",
                "width": 0.0625,
                "recipe": "short_full" if name == "full" else "short",
                "operations": ["spatial_shuffle"],
                "last_k": [0, 4],
                "seeds": [0],
            }
            for name in names
        }
        figure = {"kind": "accuracy_over_last_k", "experiments": names}
        configure(
            project,
            datasets=datasets,
            recipes=recipes,
            experiments=experiments,
            figures={"all": figure},
            targets=["all"],
            passes=2,
        )
        snakemake(project, "--cores", "2", "results/figures/all.pdf")

    train(["small", "full", "folders"])
    snakemake(project, "--cores", "1", "results/data/small/published/val_data")
    published = project / "results/data/small/published"
    datasets["published"] = {
        "kind": "small_imagenet_published",
        "folder": str(published),
        "devkit": originals["devkit"],
        "checksums": {
            **{path.name: sha256(path) for path in published.glob("*_*")},
            "devkit": checksums["devkit"],
        },
    }
    train([*datasets])

    rows = tidy_rows(project, "all")
    assert {(row["dataset"], row["last_k"]) for row in rows} == {
        (name, k) for name in datasets for k in ("0", "4")
    }
    arrays = {
        name: project / f"results/data/{name}/arrays/train_images.npy"
        for name in ("small", "published")
    }
    images = {name: np.load(path) for name, path in arrays.items()}
    assert images["small"].shape == (len(WNIDS) * IMAGES_A_CLASS, 3, 32, 32)
    assert np.array_equal(
        *(np.sort(each.reshape(len(each), -1), axis=0) for each in images.values())
    )
    again = snakemake(project, "--cores", "2", "results/figures/all.pdf")
    assert "Nothing to be done" in again
