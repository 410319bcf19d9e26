from collections.abc import Callable

import pytest
from shuffles import SHUFFLES
from torch import Tensor


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shuffle_name" in metafunc.fixturenames:
        metafunc.parametrize("shuffle_name", SHUFFLES)


@pytest.fixture
def shuffle(shuffle_name: str) -> Callable[..., Tensor]:
    return SHUFFLES[shuffle_name]
