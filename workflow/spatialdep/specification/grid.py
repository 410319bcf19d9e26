"""Which runs and evaluations an experiment of the configuration means."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spatialdep.errors import UserError
from spatialdep.plugins import declarations
from spatialdep.specification.run import BASELINE, Option, Recipe, RunSpecification
from spatialdep.specification.settings import check_setting, unit_names

TRAINED = "trained"


@dataclass(frozen=True)
class View:
    """A trained network looked at under one operation, mostly the one it was trained with."""

    run: RunSpecification
    evaluated: RunSpecification

    @property
    def id(self) -> str:
        """``trained``, ``as_none``, or ``as_{operation}_{units}``."""
        if self.evaluated == self.run:
            return TRAINED
        if self.evaluated.is_baseline:
            return f"as_{BASELINE}"
        return f"as_{self.evaluated.operation_id}_{self.evaluated.units_id}"


def expand(grid: Mapping[str, Any]) -> dict[str, list[View]]:
    """Return each experiment's views, the baseline first, in a fixed order and without repeats.

    Parameters
    ----------
    grid
        ``experiments``, ``recipes`` and ``image_sizes`` (pixels by dataset), as
        :meth:`spatialdep.specification.configuration.Configuration.grid` gives them.

    Raises
    ------
    UserError
        If a setting makes no sense; the sentence names the experiment.
    """
    views = {}
    for name, experiment in grid["experiments"].items():
        recipe = make_recipe(experiment["recipe"], grid["recipes"][experiment["recipe"]])
        size = grid["image_sizes"][experiment["dataset"]]
        try:
            views[name] = list(dict.fromkeys(_views(experiment, recipe, size)))
        except UserError as error:
            raise UserError(f"experiments.{name}: {error}") from error
    return views


def make_recipe(name: str, entry: Mapping[str, Any]) -> Recipe:
    """Build the recipe ``name`` from its configuration entry."""
    milestones = tuple(entry.get("milestones", ()))
    return Recipe(**{**entry, "name": name, "milestones": milestones})


def _views(experiment: Mapping[str, Any], recipe: Recipe, size: int) -> Iterator[View]:
    baseline = RunSpecification(
        dataset=experiment["dataset"],
        image_size=size,
        architecture=experiment["architecture"],
        width=float(experiment.get("width", 1)),
        recipe=recipe,
    )
    settings = list(_settings(baseline, experiment))
    views = [View(run, run) for run in (baseline, *settings)]
    for evaluated in _operations(experiment.get("evaluate_under", ())):
        views += _cross_views(baseline, settings, evaluated)
    for seed in experiment["seeds"]:
        for view in views:
            run, looked_at = (
                dataclasses.replace(each, seed=seed) for each in (view.run, view.evaluated)
            )
            yield View(run, looked_at)


def _settings(baseline: RunSpecification, experiment: Mapping[str, Any]) -> Iterator[Any]:
    common = experiment.get("options", {})
    unheeded = set(common)
    for operation, own in _operations(experiment["operations"]):
        # An option for all operations is for those that heed it: gap_fc has no downsampling.
        heeded = {name: common[name] for name in common if name in _heeded(operation)}
        unheeded -= heeded.keys()
        for where in _places(experiment, baseline.architecture):
            yield modified(baseline, operation, {**heeded, **own}, **where)
    if unheeded:
        raise UserError(
            f"options: no operation of this experiment has {', '.join(sorted(unheeded))}; "
            "leave it out, or correct its name."
        )


def _heeded(operation: str) -> set[str]:
    declared = declarations("spatial_ops.operations").get(operation, {"options": {}})
    return {*declared["options"], *declared.get("architecture_options", [])}


def _operations(entries: Any) -> Iterator[tuple[str, dict[str, Option]]]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry, {}
        else:
            yield entry["name"], {key: value for key, value in entry.items() if key != "name"}


def _places(experiment: Mapping[str, Any], architecture: str) -> Iterator[dict[str, Any]]:
    for k in experiment.get("last_k", ()):
        if k:
            yield {"last_k": k}
    chosen = experiment.get("units", ())
    for units in unit_names(architecture) if chosen == "each" else chosen:
        yield {"units": (units,) if isinstance(units, str) else tuple(units)}


def _cross_views(
    baseline: RunSpecification,
    settings: list[RunSpecification],
    evaluated: tuple[str, dict[str, Option]],
) -> Iterator[View]:
    """Look at each trained network, and at the baseline, under another operation."""
    operation, options = evaluated
    for run in settings:
        where = {"units": run.units} if run.units else {"last_k": run.last_k}
        other = modified(baseline, operation, options, **where)
        if other != run:
            yield View(run, other)
        if not other.is_baseline:
            yield View(baseline, other)


def modified(
    baseline: RunSpecification,
    operation: str,
    options: Mapping[str, Option],
    *,
    last_k: int = 0,
    units: tuple[str, ...] = (),
) -> RunSpecification:
    """Return ``baseline`` with ``operation`` in some units, options reduced to what is special."""
    if operation == BASELINE:
        return baseline
    where: dict[str, Any] = {"last_k": last_k, "units": units or None}
    size = baseline.image_size
    setting = check_setting(
        baseline.architecture, operation, image_size=size, options=dict(options), **where
    )
    declared = declarations("spatial_ops.operations")[operation]["options"]
    own = {
        name: value
        for name, value in setting.operation_options.items()
        if value != declared[name].get("default")
    }
    # The architecture's defaults depend on the image size and the operation, so they are asked for.
    usual = check_setting(baseline.architecture, operation, image_size=size, options=own, **where)
    special = {
        name: value
        for name, value in setting.architecture_options.items()
        if value != usual.architecture_options[name]
    }
    return dataclasses.replace(
        baseline,
        operation=setting.operation,
        # The last k units picked by name are the last k: the same run, so the same specification.
        last_k=setting.last_k or last_k,
        units=() if setting.last_k or last_k else setting.units,
        options=tuple(sorted({**own, **special}.items())),
    )
