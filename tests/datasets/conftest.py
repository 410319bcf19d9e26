"""Datasets as the commands make them, and real data where it is."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from spatialdep.commands import build_shard, fetch, join_shards, prepare, verify
from spatialdep.datasets.entry import DatasetEntry

Entry = Mapping[str, Any]


@pytest.fixture(autouse=True)
def one_process_for_all_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stamp overlook that this process has loaded the other commands too.

    The tests that start commands as processes of their own keep the check.
    """
    monkeypatch.setattr("spatialdep.provenance.stamp.loaded_modules", set)


class Commands:
    """Runs the commands for one dataset in one folder."""

    def __init__(self, folder: Path, entry: Entry, name: str = "tried") -> None:
        self.folder = folder
        self.name = name
        self.entry = dict(entry)

    @property
    def arguments(self) -> list[str]:
        return ["--dataset", self.name, "--entry", json.dumps(self.entry)]

    @property
    def verified(self) -> list[str]:
        return ["--verified", str(self.folder / "verified.json")]

    def fetch(self) -> None:
        parsed = DatasetEntry.parse(self.name, json.dumps(self.entry))
        for source in parsed.plugin.sources(parsed):
            output = self.folder / "sources" / source
            fetch.main([*self.arguments, "--source", source, "--output", str(output)])

    def verify(self) -> None:
        verify.main([*self.arguments, "--output", str(self.folder / "verified.json")])

    def prepare(self) -> Path:
        prepare.main([*self.arguments, *self.verified, "--output", str(self.folder)])
        return self.folder

    def shard_arguments(self, shard: int, shards: int, workers: int = 1) -> list[str]:
        numbers = ["--shard", str(shard), "--shards", str(shards), "--workers", str(workers)]
        output = str(self.shard_folder(shard, shards))
        return [*self.arguments, *self.verified, *numbers, "--output", output]

    def shard_folder(self, shard: int, shards: int) -> Path:
        return self.folder / "shards" / f"{shard}-of-{shards}"

    def build_shard(self, shard: int, shards: int, workers: int = 1) -> None:
        build_shard.main(self.shard_arguments(shard, shards, workers))

    def join(self, shards: int) -> Path:
        folders = [str(self.shard_folder(shard, shards)) for shard in range(shards)]
        output = self.folder / f"joined{shards}"
        arguments = [*self.arguments, *self.verified, "--shards", *folders]
        join_shards.main([*arguments, "--output", str(output)])
        return output

    def build(self, shards: int = 1, workers: int = 1) -> Path:
        for shard in range(shards):
            self.build_shard(shard, shards, workers)
        return self.join(shards)


@pytest.fixture
def commands(tmp_path: Path) -> Callable[[Entry], Commands]:
    return lambda entry: Commands(tmp_path / "data", entry)
