"""What the workflow's rules look up: every job that the configuration asks for, and what it is of.

All paths are relative to the folder that Snakemake works in.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from spatialdep.plugins import declarations
from spatialdep.provenance import source_files
from spatialdep.provenance.code import code_version
from spatialdep.provenance.environment import pinned_versions
from spatialdep.provenance.files import read_digests
from spatialdep.provenance.freshness import Expectation, Ledger
from spatialdep.specification.configuration import Configuration
from spatialdep.specification.grid import View
from spatialdep.specification.run import RunSpecification
from spatialdep.specification.settings import selection_of

RESULTS = Path("results")
DATA = RESULTS / "data"
RUNS = RESULTS / "runs"
EVALUATIONS = RESULTS / "evaluations"
DIGESTS = RESULTS / ".digests.json"
SOURCE_FILES = RESULTS / ".source_files.json"
CLAIMS = Path("config/claims.yaml")


@dataclass(frozen=True)
class PlannedJob:
    """A job and all that its result is a function of.

    ``inputs`` are the files whose contents count, by the name they have in the stamp;
    ``upstream`` are the stamps of the jobs that make them.
    """

    rule: str
    stamp: Path
    command: str
    selection: tuple[tuple[str, str], ...]
    configuration: dict[str, Any]
    inputs: dict[str, Path] = field(default_factory=dict)
    upstream: tuple[Path, ...] = ()

    @property
    def result(self) -> str:
        """What the job makes, as a path without endings: ``results/figures/drops``."""
        return str(self.stamp).removesuffix("stamp.json").rstrip("./")

    @property
    def expectation(self) -> Expectation:
        """What the job's stamp must say."""
        return Expectation(
            self.stamp, self.command, self.selection, self.configuration, self.inputs
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """Code, environment and configuration in one canonical dict, for Snakemake's records."""
        code = code_version(self.command, self.selection)
        return {
            "code": code.version,
            "configuration": json.dumps(self.configuration, sort_keys=True),
            "environment": pinned_versions(code.third_party),
        }


class Plan:
    """Every job of a configuration, by the path of its stamp."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._ledger = Ledger(DIGESTS)
        source_files.recall(SOURCE_FILES)

    @cached_property
    def views(self) -> dict[str, View]:
        """All evaluations of all experiments, by ``{run}/{view}``."""
        found = (view for views in self.configuration.views.values() for view in views)
        return {f"{view.run.id}/{view.id}": view for view in found}

    @cached_property
    def runs(self) -> dict[str, RunSpecification]:
        """All trainings, by run."""
        return {view.run.id: view.run for view in self.views.values()}

    def figure_runs(self, figures: Iterable[str]) -> list[View]:
        """Return the views that some figures show together, without repeats."""
        every = (view for figure in figures for view in self.configuration.figure_views(figure))
        return list(dict.fromkeys(every))

    def sources(self, dataset: str) -> list[Path]:
        """Return the files that a dataset is made from."""
        names = declarations("datasets")[self.configuration.datasets[dataset]["kind"]].get(
            "sources", []
        )
        return [DATA / dataset / "sources" / name for name in names]

    def is_sharded(self, dataset: str) -> bool:
        """Whether a dataset is built in shards, by several jobs."""
        kind = self.configuration.datasets[dataset]["kind"]
        return declarations("datasets")[kind].get("built_by") == "shards"

    def shards(self, dataset: str) -> list[Path]:
        """Return the folders of a dataset's shards, in their order."""
        number = int(self.configuration.datasets[dataset]["shards"])
        return [DATA / dataset / "shards" / f"{shard}-of-{number}" for shard in range(number)]

    def verify(self, dataset: str) -> PlannedJob:
        """Plan the job that checks the files that a dataset is made from."""
        entry = self.configuration.datasets[dataset]
        return PlannedJob(
            rule="verify",
            stamp=DATA / dataset / "verified.stamp.json",
            command="verify",
            selection=(("datasets", entry["kind"]),),
            configuration={"dataset": dataset, **content_of(entry)},
        )

    def altered_sources(self, dataset: str) -> list[Path]:
        """Return the files and folders that are not what was verified; one that is gone is none.

        If they must be verified anew for another reason, then that tells.
        """
        if self._ledger.reasons(self.verify(dataset).expectation):
            return []
        folder = DATA / dataset
        entry = self.configuration.datasets[dataset]
        own = declarations("datasets")[entry["kind"]].get("folders", [])
        verified = {
            Path(entry[name]) if name in own else folder / "sources" / name: known
            for name, known in read_digests(folder / "sources.json").items()
        }
        return [path for path, known in verified.items() if self._ledger.altered(path, known)]

    def build_shard(self, dataset: str, shard: str, shards: str) -> PlannedJob:
        """Plan the job that builds one shard of a dataset."""
        entry = self.configuration.datasets[dataset]
        return PlannedJob(
            rule="build_shard",
            stamp=DATA / dataset / "shards" / f"{shard}-of-{shards}" / "stamp.json",
            command="build_shard",
            selection=(("datasets", entry["kind"]),),
            configuration={
                "dataset": dataset,
                **content_of(entry),
                "shard": int(shard),
                "of": int(shards),
            },
            inputs={"verified": DATA / dataset / "verified.json"},
            upstream=(self.verify(dataset).stamp,),
        )

    def prepare(self, dataset: str) -> PlannedJob:
        """Plan the job that brings a dataset into the form that training reads."""
        entry = self.configuration.datasets[dataset]
        rule = "join_shards" if self.is_sharded(dataset) else "prepare"
        folders = self.shards(dataset) if self.is_sharded(dataset) else []
        return PlannedJob(
            rule=rule,
            stamp=DATA / dataset / "stamp.json",
            command=rule,
            selection=(("datasets", entry["kind"]),),
            configuration={"dataset": dataset, **content_of(entry)},
            inputs={
                "verified": DATA / dataset / "verified.json",
                **{f"shard{n}": folder / "shard.json" for n, folder in enumerate(folders)},
            },
            upstream=(
                self.verify(dataset).stamp,
                *(folder / "stamp.json" for folder in folders),
            ),
        )

    def export_small_imagenet(self, dataset: str) -> PlannedJob:
        """Plan the job that writes a prepared dataset in the form that others publish."""
        data = DATA / dataset
        return PlannedJob(
            rule="export_small_imagenet",
            stamp=data / "published.stamp.json",
            command="export_small_imagenet",
            selection=(),
            configuration={},
            inputs={"dataset": data / "dataset.json"},
            upstream=(data / "stamp.json",),
        )

    def train(self, run: str) -> PlannedJob:
        """Plan the job that trains one run."""
        specification = self.runs[run]
        return PlannedJob(
            rule="train",
            stamp=RUNS / run / "stamp.json",
            command="train",
            selection=selection_of(specification),
            configuration=specification.to_dict(),
            inputs={"dataset": DATA / specification.dataset / "dataset.json"},
            upstream=(DATA / specification.dataset / "stamp.json",),
        )

    def evaluate(self, run: str, view: str) -> PlannedJob:
        """Plan the job that evaluates one trained network under one operation."""
        found = self.views[f"{run}/{view}"]
        return PlannedJob(
            rule="evaluate",
            stamp=EVALUATIONS / run / view / "stamp.json",
            command="evaluate",
            selection=tuple({*selection_of(found.run), *selection_of(found.evaluated)}),
            configuration={
                "run": found.run.to_dict(),
                "evaluated": found.evaluated.to_dict(),
                "passes": self.configuration.passes,
            },
            inputs={
                "dataset": DATA / found.run.dataset / "dataset.json",
                "weights": RUNS / run / "weights.safetensors",
                "best": RUNS / run / "best.safetensors",
            },
            upstream=(DATA / found.run.dataset / "stamp.json", RUNS / run / "stamp.json"),
        )

    def evaluation_arguments(self, run: str, view: str) -> str:
        """Return what tells ``commands.evaluate`` how to look at a run, and how often."""
        found = self.views[f"{run}/{view}"]
        arguments = ["--passes", str(self.configuration.passes)]
        if found.evaluated == found.run:
            return shlex.join(arguments)
        arguments += ["--as-operation", found.evaluated.operation]
        if found.evaluated.units:
            arguments += ["--as-units", *found.evaluated.units]
        elif found.evaluated.last_k:
            arguments += ["--as-last-k", str(found.evaluated.last_k)]
        if found.evaluated.options:
            options = (f"{name}={json.dumps(value)}" for name, value in found.evaluated.options)
            arguments += ["--as-options", *options]
        return shlex.join(arguments)

    def collect(self, preview: str, figure: str) -> PlannedJob:
        """Plan the job that joins the evaluations of one figure into its tidy table."""
        folder = tables(preview) / figure
        return self._collected("collect", folder, self.figure_grid(figure), preview, [figure])

    def collect_all(self, preview: str) -> PlannedJob:
        """Plan the job that joins the evaluations of all targets into one tidy table."""
        figures = self.configuration.targets
        return self._collected("collect_all", tables(preview), self.target_grid(), preview, figures)

    def _collected(
        self, rule: str, folder: Path, grid: dict[str, Any], preview: str, figures: list[str]
    ) -> PlannedJob:
        views = self.figure_runs(figures)
        if preview:
            views = [view for view in views if self.is_finished(view)]
        names = [f"{view.run.id}/{view.id}" for view in views]
        return PlannedJob(
            rule=rule,
            stamp=folder / "stamp.json",
            command="collect",
            selection=(),
            configuration=grid,
            inputs={
                f"{name}/{file}": EVALUATIONS / name / file
                for name in names
                for file in ("evaluation.json", "correct.npz")
            },
            upstream=tuple(EVALUATIONS / name / "stamp.json" for name in names),
        )

    def is_finished(self, view: View) -> bool:
        """Whether an evaluation and the training behind it are there and fresh."""
        jobs = self.train(view.run.id), self.evaluate(view.run.id, view.id)
        return not any(self.reasons(job) for job in jobs)

    def figure_grid(self, figure: str) -> dict[str, Any]:
        """Return what the configuration says about the runs that a figure shows."""
        return self.configuration.grid(self.configuration.figures[figure].get("experiments", []))

    def target_grid(self) -> dict[str, Any]:
        """Return what the configuration says about the runs of all targets."""
        figures = (self.configuration.figures[target] for target in self.configuration.targets)
        names = dict.fromkeys(name for figure in figures for name in figure.get("experiments", []))
        return self.configuration.grid(list(names))

    def figure(self, preview: str, figure: str) -> PlannedJob:
        """Plan the job that draws a figure."""
        return self._shown("figure", RESULTS / preview / "figures", preview, figure)

    def table(self, preview: str, figure: str) -> PlannedJob:
        """Plan the job that writes the table beside a figure."""
        return self._shown("table", tables(preview), preview, figure)

    def _shown(self, command: str, folder: Path, preview: str, figure: str) -> PlannedJob:
        entry = dict(self.configuration.figures[figure])
        collected = tables(preview) / figure
        return PlannedJob(
            rule=command,
            stamp=folder / f"{figure}.stamp.json",
            command=command,
            selection=(("reporting.figures", entry["kind"]),),
            configuration={"name": figure, "figure": entry},
            inputs=(
                {"examples": collected / "examples.npz"}
                if self.reads_examples(figure)
                else collected_files(collected)
            ),
            upstream=(collected / "stamp.json",),
        )

    def reads_examples(self, figure: str) -> bool:
        """Whether a figure shows what operations do to an image, and no runs."""
        kind = self.configuration.figures[figure]["kind"]
        return declarations("reporting.figures")[kind].get("reads") == "examples"

    def examples(self, preview: str, figure: str) -> PlannedJob:
        """Plan the job that applies operations to an image, for a figure that shows it."""
        entry = dict(self.configuration.figures[figure])
        operations = entry.get(
            "operations",
            declarations("reporting.figures")[entry["kind"]]["options"]["operations"]["default"],
        )
        names = {each if isinstance(each, str) else each["name"] for each in operations}
        data = DATA / entry["dataset"]
        return PlannedJob(
            rule="examples",
            stamp=tables(preview) / figure / "stamp.json",
            command="examples",
            selection=tuple(("spatial_ops.operations", name) for name in sorted(names)),
            configuration={"name": figure, "figure": entry},
            inputs={"dataset": data / "dataset.json"},
            upstream=(data / "stamp.json",),
        )

    def claims(self, preview: str) -> PlannedJob:
        """Plan the job that judges the paper's claims."""
        folder = tables(preview)
        return PlannedJob(
            rule="claims",
            stamp=folder / "claims.stamp.json",
            command="claims",
            selection=(),
            configuration={},
            inputs={"claims": CLAIMS, **collected_files(folder)},
            upstream=(folder / "stamp.json",),
        )

    def overview(self, preview: str) -> PlannedJob:
        """Plan the job that puts verdicts, figures and tables onto one page."""
        names = self.configuration.targets
        drawn, written = RESULTS / preview / "figures", tables(preview)
        return PlannedJob(
            rule="overview",
            stamp=RESULTS / preview / "overview.stamp.json",
            command="overview",
            selection=(),
            configuration={"figures": self.target_entries()},
            inputs={
                "claims": CLAIMS,
                **collected_files(written),
                "provenance": written / "provenance.csv",
                **{f"{name}.svg": drawn / f"{name}.svg" for name in names},
                **{f"{name}.html": written / f"{name}.html" for name in names},
            },
            upstream=(
                written / "stamp.json",
                *(drawn / f"{name}.stamp.json" for name in names),
                *(written / f"{name}.stamp.json" for name in names),
            ),
        )

    def target_entries(self) -> list[dict[str, Any]]:
        """Return name and configuration of the figures that are targets, in the targets' order."""
        return [
            {"name": name, "figure": dict(self.configuration.figures[name])}
            for name in self.configuration.targets
        ]

    def reasons(self, job: PlannedJob) -> list[str]:
        """Say why a job's own result is stale, whatever becomes of its inputs; empty if fresh."""
        for stamp in job.upstream:
            # Read first, since a stamp vouches for the digests of the files beside it.
            self._ledger.stamp(stamp)
        if job.rule == "verify":
            altered = self.altered_sources(job.configuration["dataset"])
            if altered:
                return [f"{path} has other contents than were verified" for path in altered]
        return self._ledger.reasons(job.expectation)

    def jobs(self) -> list[PlannedJob]:
        """Every job of the targets whose result carries a stamp, each after those it needs."""
        figures = self.configuration.targets
        views = self.figure_runs(figures)
        datasets = dict.fromkeys(
            [
                *(view.run.dataset for view in views),
                *(
                    self.configuration.figures[name]["dataset"]
                    for name in figures
                    if self.reads_examples(name)
                ),
            ]
        )
        runs = dict.fromkeys(view.run.id for view in views)
        return [
            *(job for dataset in datasets for job in self._data_jobs(dataset)),
            *map(self.train, runs),
            *(self.evaluate(view.run.id, view.id) for view in views),
            *(
                self.examples("", figure)
                if self.reads_examples(figure)
                else self.collect("", figure)
                for figure in figures
            ),
            *(self.table("", figure) for figure in figures),
            *(self.figure("", figure) for figure in figures),
            self.collect_all(""),
            self.claims(""),
            self.overview(""),
        ]

    def _data_jobs(self, dataset: str) -> Iterator[PlannedJob]:
        yield self.verify(dataset)
        if self.is_sharded(dataset):
            number = len(self.shards(dataset))
            for shard in range(number):
                yield self.build_shard(dataset, str(shard), str(number))
        yield self.prepare(dataset)

    def stale(self) -> list[tuple[PlannedJob, list[str]]]:
        """Return the jobs that would run, each with the reasons in words."""
        found: dict[Path, tuple[PlannedJob, list[str]]] = {}
        for job in self.jobs():
            anew = [found[stamp][0].result for stamp in job.upstream if stamp in found]
            reasons = self.reasons(job)
            if anew and not reasons:
                others = f", as {len(anew) - 1} more of its inputs are" if anew[1:] else ""
                reasons = [f"{anew[0]} is made anew{others}"]
            if reasons:
                found[job.stamp] = (job, reasons)
        return list(found.values())

    def save(self) -> None:
        """Keep what was learnt about files for the next planning."""
        self._ledger.save()
        source_files.remember(SOURCE_FILES)


def tables(preview: str) -> Path:
    """Return the folder of tables; ``preview`` is ``"preview/"`` for what is finished so far."""
    return RESULTS / preview / "tables"


def collected_files(folder: Path) -> dict[str, Path]:
    """Return the files that ``commands.collect`` writes, by their name in stamps."""
    return {
        "runs": folder / "runs.csv",
        "images": folder / "images.npz",
        "histories": folder / "histories.csv",
        "missing": folder / "missing.csv",
    }


def content_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dataset's entry without its locations: where a file lies does not change it."""
    options = declarations("datasets")[entry["kind"]]["options"]
    return {
        key: value
        for key, value in entry.items()
        if not options.get(key, {}).get("location", False)
    }
