"""The matrix's world: built once for a module, every test takes back what it did."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from billing import fulfillment
from organizations import belongings
from public_api import throttling
from tests.admin_ext.conftest import Nothing
from tests.organizations import matrix


@pytest.fixture(scope="module")
def _world(django_db_setup: None, django_db_blocker: Any) -> Iterator[matrix.World]:
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setitem(fulfillment._handlers, "test", Nothing())
        patch.setattr(belongings, "blockers", lambda **_: [])  # who may close is asked here; what blocks, in test_closing
        patch.setattr(belongings, "archive", lambda **_: None)
        yield matrix.build()
        transaction.set_rollback(True)


@pytest.fixture
def world(_world: matrix.World, db: None, settings: Any) -> matrix.World:
    settings.API_THROTTLE_SCALE = 1000.0
    throttling.forget_leases()
    return _world


@pytest.fixture
def subject(world: matrix.World, request: pytest.FixtureRequest) -> matrix.Subject:
    """Named by the test's parameter: (role or group, relation)."""
    return matrix.subject(world, *request.param)
