"""The pinned versions of the third-party packages that a job's code imports."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata

from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE

PINS = PACKAGE.parent.parent / "envs"

# Where a package is imported by another name than it is installed by.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)


def pinned_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the pinned version of each imported package, by distribution name, sorted.

    Raises
    ------
    UserError
        If no requirements file in ``envs/`` pins one of them.
    """
    pins = _all_pins()
    found = {}
    for package in packages:
        name = DISTRIBUTIONS.get(package, package).replace("_", "-").lower()
        if name not in pins:
            raise UserError(
                f"the code imports {package}, but no requirements file in envs/ pins {name}: "
                "add it to the .in file of its user and compile the pins anew (envs/README.md)."
            )
        found[name] = pins[name]
    return dict(sorted(found.items()))


def check_installed(environment: dict[str, str]) -> None:
    """Refuse to compute a result with other versions than its stamp would claim.

    Raises
    ------
    UserError
        If a package is missing or has another version; a local suffix such as +cu130 is allowed.
    """
    for name, pinned in environment.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed.partition("+")[0] != pinned:
            raise UserError(
                f"{name} is {installed} here, but envs/ pins {pinned}: install the pinned "
                "version, or change the pin and let the jobs that use it run again."
            )


@cache
def _all_pins() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(PINS.glob("*.txt")):
        for match in PIN.finditer(path.read_text(encoding="utf-8")):
            name = match["name"].replace("_", "-").lower()
            if found.setdefault(name, match["version"]) != match["version"]:
                raise UserError(
                    f"{path} pins {name} {match['version']}, another file in envs/ pins "
                    f"{found[name]}: compile all pins anew together (envs/README.md)."
                )
    return found
