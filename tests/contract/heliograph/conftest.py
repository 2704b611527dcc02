from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[str]:
    """A broker of the test's own, empty, on a port of its own."""
    with running_broker(tmp_path) as connection:
        yield connection
