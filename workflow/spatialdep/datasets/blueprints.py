"""From verified sources to the blueprint of what is built from them."""

from pathlib import Path

from spatialdep.datasets.construction import Blueprint
from spatialdep.datasets.entry import DatasetEntry
from spatialdep.datasets.verified import verified_details, verified_paths
from spatialdep.errors import UserError


def verified_blueprint(verified: Path, entry: DatasetEntry) -> Blueprint:
    """Return the blueprint of ``entry``, being sure that its sources are what was verified.

    Raises
    ------
    UserError
        If they have changed since.
    """
    paths = verified_paths(verified, entry)
    if entry.plugin.inspect(entry, paths) != verified_details(verified):
        raise UserError(
            f"the sources of dataset {entry.name} have changed since {verified} was written: "
            "delete that file and run the same command again."
        )
    blueprint: Blueprint = entry.plugin.blueprint(entry, paths)
    return blueprint
