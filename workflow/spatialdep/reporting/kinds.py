"""A figure's entry in the configuration, and the plug-in that knows how to show it."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from spatialdep import plugins
from spatialdep.provenance import stamp
from spatialdep.reporting.examples import EXAMPLES, Examples, read_examples
from spatialdep.reporting.nothing import placeholder_figure, placeholder_table
from spatialdep.reporting.results import FILES, read_results
from spatialdep.reporting.summary import NothingFinishedError, Results
from spatialdep.reporting.tables import Table

ROOM = "reporting.figures"
GENERAL = ("kind", "experiments", "title")


@dataclass(frozen=True)
class FigureEntry:
    """What the configuration says about a figure, with its kind's defaults filled in."""

    name: str
    kind: str
    title: str | None
    options: dict[str, Any]
    whole: dict[str, Any]

    def draw(self, results: Results | Examples) -> Figure:
        """Draw the figure; where nothing is finished yet, a notice of what is missing."""
        try:
            figure: Figure = self._plugin.draw(results, self.options, self.title)
        except NothingFinishedError:
            # Only a preview is collected with runs missing; elsewhere the sentence is the answer.
            if isinstance(results, Examples) or results.missing.empty:
                raise
            return placeholder_figure(results.missing, self.title or self.name)
        return figure

    def table(self, results: Results | Examples) -> Table:
        """Make the figure's table; where nothing is finished yet, of what is missing."""
        try:
            table: Table = self._plugin.table(results, self.options)
        except NothingFinishedError:
            if isinstance(results, Examples) or results.missing.empty:
                raise
            return placeholder_table(results.missing)
        return table

    @property
    def _plugin(self) -> ModuleType:
        """The plug-in, with ``table(results, options)`` and ``draw(results, options, title)``."""
        return plugins.load(ROOM, self.kind)

    def read(self, folder: Path) -> Results | Examples:
        """Verify and read what ``collect`` or ``examples`` wrote into ``folder`` for the figure.

        Raises
        ------
        UserError
            If a file is missing, stale, altered or malformed.
        """
        stamp.verify(folder / "stamp.json")
        return read_examples(folder / EXAMPLES) if self._shows_examples else read_results(folder)

    def inputs(self, folder: Path) -> dict[str, Path]:
        """Return the files that :meth:`read` reads, by the name under which a stamp lists them."""
        names = (EXAMPLES,) if self._shows_examples else FILES
        return {Path(name).stem: folder / name for name in names}

    @property
    def _shows_examples(self) -> bool:
        return bool(self._plugin.DECLARATION.get("reads") == "examples")


def add_figure_arguments(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options that describe a figure."""
    parser.add_argument("--name", required=True, help="the figure's name")
    parser.add_argument(
        "--figure", required=True, type=json.loads, help="the figure's entry, as JSON"
    )
    parser.add_argument("--tables", required=True, type=Path, help="folder that collect wrote")
    parser.add_argument(
        "--out", required=True, type=Path, help="path of the result, without ending"
    )


def figure_from(namespace: argparse.Namespace) -> FigureEntry:
    """Build the entry that the options of ``namespace`` describe."""
    whole = namespace.figure
    options = plugins.load(ROOM, whole["kind"]).DECLARATION["options"]
    defaults = {name: schema["default"] for name, schema in options.items() if "default" in schema}
    given = {name: value for name, value in whole.items() if name not in GENERAL}
    return FigureEntry(
        namespace.name, whole["kind"], whole.get("title"), {**defaults, **given}, whole
    )
