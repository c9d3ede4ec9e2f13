"""What every test of the API starts from."""

from collections.abc import Iterator
from typing import Any

import pytest

from public_api import throttling


@pytest.fixture(autouse=True)
def _own_windows(settings: Any) -> Iterator[None]:
    """Limits far away, and no hits left over that this process took in an earlier test."""
    settings.API_THROTTLE_SCALE = 1000.0
    throttling.forget_leases()
    yield
    throttling.forget_leases()
