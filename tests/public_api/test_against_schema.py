"""The running application against its own description: whatever is sent, no 500, and no answer that the description does not know."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from allauth.headless.internal.sessionkit import new_session
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from accounts import session_lifetime
from accounts.models import User
from config.wsgi import application
from sandbox.stripe.server import Sandbox
from tests.factories.people import personas
from tests.factories.registrations import paid_event, register
from tests.sizes import SIZES

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]
ORIGIN = "http://127.0.0.1"
schema: Any = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application, base_url=ORIGIN)


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody signed in, and objects that are theirs, so that half of the calls get past the first lookup."""

    token: str
    ids: dict[str, str]


def token_of(user: User) -> str:
    session = new_session()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session_lifetime.begin(session)
    session.create()
    return str(session.session_key)


@pytest.fixture
def known(db: None, sandbox: Sandbox) -> Iterator[Known]:
    people = personas()
    event = paid_event(organization=people.organization, host=people.alice, capacity=10_000)
    place = register(event, people.alice).registration
    ids = {"event": event.slug, "event_id": event.public_id, "registration_id": place.public_id}
    with _connection_kept():
        yield Known(token_of(people.alice), ids)


@contextmanager
def _connection_kept() -> Iterator[None]:
    """A real request gives its connection back at its end; here the test's transaction lives on it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=SIZES.schemathesis_examples,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_only_what_it_describes(case: Any, known: Known) -> None:
    signed_in = len(str(case.query) + str(case.body)) % 2 == 0
    for name in case.path_parameters if signed_in else ():
        case.path_parameters[name] = known.ids.get(name, case.path_parameters[name])
    response = case.call(headers={"X-Session-Token": known.token} if signed_in else {})
    case.validate_response(response, checks=CHECKS)
