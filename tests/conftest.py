"""How the suite is shared out over worker processes."""

import pytest

# These share what takes long to make: a cluster, a finished project.
TOGETHER = ("slurm", "workflow")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one worker, a whole folder's where they share more, or as they say."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            folder = item.path.parent.name
            group = folder if folder in TOGETHER else f"{folder}/{item.path.name}"
            item.add_marker(pytest.mark.xdist_group(group))
