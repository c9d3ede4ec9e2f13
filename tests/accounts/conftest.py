import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _no_attempts_yet(db: None) -> None:
    """allauth counts attempts and remembers used codes in the shared cache."""
    cache.clear()
