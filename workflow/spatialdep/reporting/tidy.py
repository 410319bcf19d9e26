"""The tidy table: a row a run, evaluation, checkpoint and pass. All that follows reads only it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError


@dataclass(frozen=True)
class Column:
    """A column of the tidy table."""

    name: str
    kind: str  # "text", "whole", "real" or "flag"
    description: str


COLUMNS = (
    Column("run", "text", "the run's path below `results/runs`, which names its setting and seed"),
    Column(
        "view", "text", "`trained`: evaluated as it was trained; `as_…`: under another operation"
    ),
    Column(
        "checkpoint", "text", "`last`: last epoch; `best`: best test epoch (authors' convention)"
    ),
    Column("pass", "whole", "number of the pass over the test images, from 0 (10 if random)"),
    Column("dataset", "text", "dataset, by its name in the configuration"),
    Column("dataset_kind", "text", "what kind of dataset it is, such as `cifar100`"),
    Column("classes", "whole", "number of classes"),
    Column("image_size", "whole", "height and width of the images in pixels"),
    Column("train_images", "whole", "number of training images"),
    Column("test_images", "whole", "number of test images"),
    Column("architecture", "text", "network"),
    Column("width", "real", "factor on the network's channels; 1 is the paper's network"),
    Column("unit_count", "whole", "number of units that the network has, the paper's layers"),
    Column(
        "operation", "text", "what was done to the modified units in training; `none`: baseline"
    ),
    Column(
        "options", "text", "switches of operation and network that differ from defaults, as JSON"
    ),
    Column("last_k", "whole", "how many of the last units were modified; 0 if picked by name"),
    Column("units", "text", "names of the modified units if picked by name, joined by `+`"),
    Column("layers_percent", "real", "share of the units that were modified, per cent"),
    Column("evaluated_operation", "text", "as `operation`, in this evaluation"),
    Column("evaluated_options", "text", "as `options`, in this evaluation"),
    Column("evaluated_last_k", "whole", "as `last_k`, in this evaluation"),
    Column("evaluated_units", "text", "as `units`, in this evaluation"),
    Column("recipe", "text", "training recipe, by its name in the configuration"),
    Column("epochs", "whole", "recipe: passes over the training images"),
    Column("batch_size", "whole", "recipe: images in a training step"),
    Column("learning_rate", "real", "recipe: learning rate at the start, or peak of `one_cycle`"),
    Column("schedule", "text", "recipe: how the learning rate falls"),
    Column("milestones", "text", "recipe: epochs after which it falls, as JSON"),
    Column("gamma", "real", "recipe: factor at each milestone"),
    Column("momentum", "real", "recipe: momentum of SGD"),
    Column("nesterov", "flag", "recipe: Nesterov momentum"),
    Column("weight_decay", "real", "recipe: weight decay"),
    Column("augmentation", "text", "recipe: random changes of the training images"),
    Column("precision", "text", "recipe: number format in training; evaluation is in float32"),
    Column("seed", "whole", "the run's seed"),
    Column("parameters", "whole", "number of trainable parameters"),
    Column("epoch", "whole", "epoch that the checkpoint was taken after"),
    Column("top1", "real", "top-1 test accuracy, per cent"),
    Column("top5", "real", "top-5 test accuracy, per cent"),
    Column("loss", "real", "mean cross-entropy on the test images, nats"),
    Column("train_seconds", "real", "how long training took, seconds"),
    Column("device", "text", "device that the run was trained on"),
)
KEY = ["run", "view", "checkpoint", "pass"]
RECIPE = [
    "recipe", "epochs", "batch_size", "learning_rate", "schedule", "milestones", "gamma",
    "momentum", "nesterov", "weight_decay", "augmentation", "precision",
]  # fmt: skip
# What runs of one setting have in common; seeds are repetitions of a setting.
TRAINED = [
    "dataset", "dataset_kind", "image_size", "architecture", "width", "operation", "options",
    "last_k", "units", *RECIPE,
]  # fmt: skip
EVALUATED = ["evaluated_operation", "evaluated_options", "evaluated_last_k", "evaluated_units"]
SETTING = [*TRAINED, *EVALUATED]
# A baseline shares all of a setting but what was done to the network.
CONTEXT = ["dataset", "dataset_kind", "image_size", "architecture", "width", *RECIPE]

DTYPES = {"text": "str", "whole": "int64", "real": "float64", "flag": "bool"}
MISSING_COLUMNS = [
    "run", "view", "dataset", "architecture", "width", "operation", "options", "last_k", "units",
    "recipe", "seed", "reason",
]  # fmt: skip
HISTORY_COLUMNS = [
    "run", "epoch", "lr", "train_loss", "train_top1", "test_loss", "test_top1",
    "images_per_second", "seconds",
]  # fmt: skip


def as_tidy(rows: pd.DataFrame, source: Path) -> pd.DataFrame:
    """Check ``rows`` and return them typed and in canonical order.

    Raises
    ------
    UserError
        If columns are missing or unknown, a value is missing, an accuracy is impossible or a row
        occurs twice.
    """
    names = [column.name for column in COLUMNS]
    if set(rows.columns) != set(names):
        different = sorted(set(rows.columns) ^ set(names))
        raise UserError(
            f"{source}: columns {', '.join(different)} are missing or unknown; expected those "
            "that results/README.md lists: collect the table again."
        )
    rows = rows[names]
    empty = rows.columns[rows.isna().any()]
    if len(empty):
        where = rows.loc[rows[empty[0]].isna(), KEY].iloc[0].to_dict()
        raise UserError(
            f"{source}: {empty[0]} has no value in the row {where}; expected a number or text: "
            "evaluate that run again."
        )
    try:
        rows = rows.astype({column.name: DTYPES[column.kind] for column in COLUMNS})
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{source}: a value has the wrong type ({error}): collect the table again."
        ) from error
    outside = ~(rows["top1"].between(0, 100) & rows["top5"].between(0, 100))
    if outside.any():
        raise UserError(
            f"{source}: accuracy outside 0 to 100 per cent in {rows.loc[outside, 'run'].iloc[0]}: "
            "evaluate that run again."
        )
    twice = rows.duplicated(KEY)
    if twice.any():
        raise UserError(
            f"{source}: the row {rows.loc[twice, KEY].iloc[0].to_dict()} occurs twice; expected "
            "one row a run, view, checkpoint and pass: collect the table again."
        )
    return rows.sort_values(KEY, ignore_index=True)


def read_runs(path: Path) -> pd.DataFrame:
    """Read and check a tidy table.

    Raises
    ------
    UserError
        As :func:`as_tidy`, or if the file is not there or no CSV.
    """
    text = [column.name for column in COLUMNS if column.kind == "text"]
    return as_tidy(read_csv(path, text), path)


def read_csv(path: Path, text: list[str]) -> pd.DataFrame:
    """Read ``path``; in the columns ``text`` an empty field is an empty text, elsewhere no value.

    Raises
    ------
    UserError
        If the file is not there or no CSV table.
    """
    try:
        header = pd.read_csv(path, nrows=0)
        numbers = {name: ["", "nan", "NaN"] for name in header.columns if name not in text}
        return pd.read_csv(
            path, dtype=dict.fromkeys(text, "str"), keep_default_na=False, na_values=numbers
        )
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: make it with `snakemake {path}`.") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is no CSV table ({error}): delete it and make it again."
        ) from error


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with Unix line ends; numbers keep all digits that matter."""
    with atomic_write(path) as stream:
        table.to_csv(stream, index=False, float_format="%.10g", lineterminator="\n")
