"""The files in envs/ agree with each other and name no package index."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parent.parent / "envs"
NAMES = [path.stem for path in ENVS.glob("*.in")]
PIN = re.compile(r"^([A-Za-z0-9._-]+==[^\\\n]*[^\\ \n])", re.MULTILINE)


def pins(name: str) -> list[str]:
    return PIN.findall((ENVS / f"{name}.txt").read_text())


@pytest.mark.parametrize("path", sorted(ENVS.glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_installs_the_same_pins(path: Path) -> None:
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    assert dependencies[-1]["pip"] == pins(path.stem)


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_a_hash_and_no_host(name: str) -> None:
    text = (ENVS / f"{name}.txt").read_text()
    assert "://" not in text
    assert "file:" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block


def test_one_version_of_each_package() -> None:
    versions: dict[str, set[str]] = {}
    for name in NAMES:
        for pin in pins(name):
            # A marker says where a package is wanted, not which version.
            package, _, version = pin.partition(" ;")[0].partition("==")
            versions.setdefault(package, set()).add(version)
    assert not {package: found for package, found in versions.items() if len(found) > 1}


@pytest.mark.parametrize("name", NAMES)
def test_everything_wanted_is_pinned(name: str) -> None:
    wanted = re.findall(r"^([A-Za-z0-9._-]+)", (ENVS / f"{name}.in").read_text(), re.MULTILINE)
    pinned = {pin.partition("==")[0] for pin in pins(name)}
    assert {package.lower().replace("_", "-") for package in wanted} <= pinned
