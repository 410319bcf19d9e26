"""Gather evaluations into one tidy table, with the per-image file and the histories beside it."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spatialdep import commandline
from spatialdep.errors import UserError
from spatialdep.provenance import stamp
from spatialdep.reporting import images, tidy
from spatialdep.reporting.evaluations import Evaluation, last_error, missing_row, read_evaluation
from spatialdep.reporting.provenance_table import PROVENANCE, provenance_table
from spatialdep.reporting.results import FILES
from spatialdep.specification.grid import View, expand


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.collect", description=__doc__
    )
    parser.add_argument("--name", required=True, help="what is collected: a figure, or all")
    parser.add_argument(
        "--grid",
        required=True,
        type=json.loads,
        help="experiments, recipes and image_sizes of the configuration, as JSON",
    )
    parser.add_argument("--evaluations", required=True, type=Path, help="folder of all evaluations")
    parser.add_argument("--out", required=True, type=Path, help="folder of the collected files")
    parser.add_argument("--logs", type=Path, help="folder of all logs, to tell failed from waiting")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="list what is missing or stale in missing.csv instead of failing",
    )
    arguments = parser.parse_args(argv)

    folders, missing = _sort(
        arguments.grid, arguments.evaluations, arguments.logs, arguments.allow_missing
    )
    job = stamp.begin(
        "collect",
        configuration=arguments.grid,
        inputs={
            f"{name}/{file}": folder / file
            for name, folder in folders.items()
            for file in ("evaluation.json", "correct.npz")
        },
    )
    outputs = _write(arguments.out, [read_evaluation(path) for path in folders.values()], missing)
    job.finish(arguments.out / "stamp.json", outputs=outputs)
    print(f"{arguments.name}: {len(folders)} evaluations, {len(missing)} missing")
    return 0


def _sort(
    grid: dict[str, Any], root: Path, logs: Path | None, allow_missing: bool
) -> tuple[dict[str, Path], list[dict[str, Any]]]:
    """Tell the folders of usable evaluations from the rows of missing ones."""
    folders, missing = {}, []
    for view in _views(grid):
        name = f"{view.run.id}/{view.id}"
        try:
            _verify(root / name / "stamp.json", view)
        except UserError as error:
            if not allow_missing:
                raise
            missing.append(missing_row(view, _reason(view, root / name, logs, str(error))))
        else:
            folders[name] = root / name
    return folders, missing


def _reason(view: View, folder: Path, logs: Path | None, error: str) -> str:
    """Say in a few words why an evaluation cannot be shown."""
    if (folder / "stamp.json").is_file():
        return f"stale: {error}"
    for rule, name in (("train", view.run.id), ("evaluate", f"{view.run.id}/{view.id}")):
        failure = last_error(logs / rule / f"{name}.log") if logs else None
        if failure:
            return f"failed ({rule}): {failure}"
    return "not run yet"


def _verify(path: Path, view: View) -> None:
    """Check that an evaluation is whole, current, and of the specification that is asked for.

    A recipe keeps its name, hence its runs' folders, when the configuration changes its numbers.
    """
    made = stamp.verify(path).configuration
    if (made["run"], made["evaluated"]) != (view.run.to_dict(), view.evaluated.to_dict()):
        raise UserError(
            f"{path} is stale, it was made with another configuration: "
            f"make it anew with `snakemake {path}`."
        )


def _views(grid: dict[str, Any]) -> Iterable[View]:
    return dict.fromkeys(view for views in expand(grid).values() for view in views)


def _write(output: Path, found: list[Evaluation], missing: list[dict[str, Any]]) -> list[Path]:
    paths = [output / name for name in (*FILES, PROVENANCE)]
    rows = pd.DataFrame(
        [row for evaluation in found for row in evaluation.rows()],
        columns=[column.name for column in tidy.COLUMNS],
    )
    tidy.write_csv(paths[0], tidy.as_tidy(rows, paths[0]))
    images.write_images(
        paths[1],
        images.pack((each.record["run"], each.record["view"], each.arrays) for each in found),
    )
    histories = [each.history() for each in found if each.record["view"] == "trained"]
    empty = pd.DataFrame(columns=tidy.HISTORY_COLUMNS)
    tidy.write_csv(paths[2], pd.concat(histories, ignore_index=True) if histories else empty)
    tidy.write_csv(paths[3], pd.DataFrame(missing, columns=tidy.MISSING_COLUMNS))
    tidy.write_csv(paths[4], provenance_table(found))
    return paths


if __name__ == "__main__":
    commandline.run(main)
