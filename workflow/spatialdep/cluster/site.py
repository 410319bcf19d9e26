"""What differs between clusters, read from ``config/cluster.yaml`` and checked."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE

SITE = Path("config/cluster.yaml")
SCHEMA = PACKAGE.parent / "schemas" / "cluster.schema.yaml"


@dataclass(frozen=True)
class Site:
    """One cluster; the fields are the keys of ``workflow/schemas/cluster.schema.yaml``."""

    partitions: dict[str, str] = field(default_factory=dict)
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpu_model: str | None = None
    gpus: bool = True
    cpus_per_gpu: int = 8
    max_runtime: int = 1440
    grace: int = 120
    runs_per_gpu: int = 1
    shards_per_gpu: int | None = None
    evaluate_with_training: bool = False
    scratch: str | None = None
    setup: tuple[str, ...] = ()
    device: str | None = None
    speed: dict[str, float] = field(default_factory=dict)

    @property
    def shards_per_run(self) -> int:
        """Shards that one training asks for, so that ``runs_per_gpu`` of them fill a GPU.

        Rounded up, so that never more than ``runs_per_gpu`` trainings share one; 0 where GPUs are
        not shared.
        """
        if self.runs_per_gpu == 1 or self.shards_per_gpu is None:
            return 0
        return -(-self.shards_per_gpu // self.runs_per_gpu)

    @property
    def shell_prefix(self) -> str:
        """What the shell does before each job's command: modules, and where to stage data."""
        stage = [] if self.scratch is None else [f'export SPATIALDEP_SCRATCH="{self.scratch}"']
        return "".join(f"{line}; " for line in (*self.setup, *stage))


def read_site(path: Path = SITE) -> Site:
    """Read a site's description; all defaults if there is no such file.

    Raises
    ------
    UserError
        Names the key, what was found and what is expected.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Site()
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return make_site({} if content is None else content, path)


def make_site(content: Any, path: Path = SITE) -> Site:
    """Check a site's description and build it; ``path`` is for messages."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(content)
    )
    if error is not None:
        raise UserError(f"{path}: {_sentence(error, schema)}")
    site = Site(**{**content, "setup": tuple(content.get("setup", ()))})
    _check_sharing(site, path)
    return site


def _check_sharing(site: Site, path: Path) -> None:
    if site.runs_per_gpu == 1:
        return
    if not site.gpus:
        raise UserError(f"{path}: runs_per_gpu is {site.runs_per_gpu}, but gpus is false.")
    if site.shards_per_gpu is None:
        raise UserError(
            f"{path}: runs_per_gpu is {site.runs_per_gpu}, but shards_per_gpu is not given: SLURM "
            "shares a GPU between jobs only where the cluster cuts it into shards (`sinfo -o %G` "
            "shows shard:…); without them set runs_per_gpu to 1, or use profiles/local inside one "
            "allocation (profiles/README.md)."
        )
    if site.shards_per_gpu < site.runs_per_gpu:
        raise UserError(
            f"{path}: runs_per_gpu is {site.runs_per_gpu}, but a GPU has only "
            f"shards_per_gpu = {site.shards_per_gpu}; lower runs_per_gpu."
        )


def _properties(schema: dict[str, Any], error: jsonschema.ValidationError) -> dict[str, Any]:
    """Return the keys that are known where ``error`` found an unknown one."""
    for part in error.absolute_path:
        schema = schema["properties"][part]
    known: dict[str, Any] = schema["properties"]
    return known


def _sentence(error: jsonschema.ValidationError, schema: dict[str, Any]) -> str:
    """Say in one sentence which key is wrong and what it should be."""
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = _properties(schema, error)
        unknown = next(name for name in error.instance if name not in known)
        close = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
        return f"unknown key {'.'.join(filter(None, (key, str(unknown))))}: {hint}"
    described = schema["properties"].get(error.absolute_path[0]) if error.absolute_path else None
    meaning = "" if described is None else f" ({' '.join(described['description'].split())})"
    return f"{key or 'the file'}{meaning}: {error.message}."
