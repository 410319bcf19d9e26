"""Two private clusters, without and with accounting, and the results that both must reach."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster_project import ClusterProject, run_id, target
from private_slurm import PrivateSlurm, missing_requirement


def _started(accounting: bool) -> Iterator[PrivateSlurm]:
    reason = missing_requirement(accounting)
    if reason is not None:
        pytest.skip(reason)
    # Not below pytest's own folder: sockets need short paths, and the database's user must get in.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        cluster = PrivateSlurm(Path(folder), accounting=accounting)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def slurm() -> Iterator[PrivateSlurm]:
    """A cluster without an accounting database."""
    yield from _started(accounting=False)


@pytest.fixture(scope="session")
def slurm_with_accounting() -> Iterator[PrivateSlurm]:
    """A cluster with slurmdbd and MariaDB."""
    yield from _started(accounting=True)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ClusterProject:
    """What an uninterrupted run on this machine gives, without SLURM."""
    project = ClusterProject.create(tmp_path_factory.mktemp("reference") / "p")
    tables = [f"results/tables/{name}.csv" for name in ("tiny", "claims")]
    longs = [target(run_id("long", seed)) for seed in range(3)]
    project.snakemake(*tables, *longs)
    return project


@pytest.fixture
def make_project(
    tmp_path: Path, reference: ClusterProject
) -> Iterator[Callable[..., ClusterProject]]:
    """Return a function that copies the project, with the data prepared."""
    made = []

    def make(cluster: PrivateSlurm, **site: object) -> ClusterProject:
        project = ClusterProject.create(tmp_path / "p", cluster, **site)
        project.take_data_from(reference)
        made.append(project)
        return project

    yield make
    for project in made:
        project.stop()


@pytest.fixture(autouse=True)
def clean_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no job of one test to the next."""
    yield
    for name in {"slurm", "slurm_with_accounting"} & set(request.fixturenames):
        request.getfixturevalue(name).empty_queue()
