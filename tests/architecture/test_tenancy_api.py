"""Every route of the API as somebody who has no business there: nothing is shown, nothing is changed.

The routes are those of the committed description, so a new one is walked without being named here; it must say which object it takes.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from audit.models import AuditEntry
from billing import fulfillment
from billing.documents import issuing
from billing.models import CheckoutSession, PayoutRequest, Refund
from config.env import BASE_DIR
from core.public_ids import uuid7
from events.models import Event
from organizations.models import Invitation, Membership, Organization
from registrations import check_ins, tickets
from registrations.models import CheckIn, Registration
from tests.admin_ext import making
from tests.admin_ext.conftest import Nothing
from tests.billing.test_payout_statements import paid_out, written
from tests.factories.events import DraftEventFactory
from tests.factories.payouts import read_balances
from tests.factories.people import Personas, UserFactory, personas
from tests.factories.registrations import paid_event, pay, register

pytestmark = [pytest.mark.django_db, pytest.mark.gap("4.2"), pytest.mark.rule("S8")]

SCHEMA = json.loads((BASE_DIR / "public_api/openapi.json").read_text(encoding="utf-8"))
ROUTES = [(method.upper(), path) for path, item in SCHEMA["paths"].items() for method in item]
# Routes about everybody's own things, or about what is public: they take no object of somebody else's.
WITHOUT_OBJECT = {
    ("GET", "/api/v1/public/organizations"),
    ("POST", "/api/v1/organizations"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/plans"),
    ("GET", "/api/v1/me/usage"),
    ("POST", "/api/v1/me/downgrade"),  # names its organization in the body: tests/public_api/test_plans.py and the matrix
    ("GET", "/api/v1/me"),
    ("PATCH", "/api/v1/me"),
    ("GET", "/api/v1/me/registrations"),
    ("GET", "/api/v1/me/sessions"),
    ("DELETE", "/api/v1/me/sessions"),
}
# The link is what lets one in, whoever one is: tests/organizations/test_invitation_answers.py says who may do what with it.
BY_LINK = {(method, path) for method, path in ROUTES if "{token}" in path}
WITH_OBJECT = [route for route in ROUTES if route not in WITHOUT_OBJECT | BY_LINK]
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/events/{event_id}/check-ins"): {"ticket": tickets.code(uuid7())},
    ("POST", "/api/v1/events/{event_id}/quote"): {},
    ("POST", "/api/v1/events/{event_id}/registrations"): {"email": "x@example.org", "name": "X"},
    ("POST", "/api/v1/registrations/{registration_id}/refund"): {"amount": 100},
    ("POST", "/api/v1/organizations/{organization_id}/payouts"): {"currency": "USD"},
    ("PATCH", "/api/v1/organizations/{organization_id}/members/{membership_id}"): {"role": "admin"},
    ("POST", "/api/v1/organizations/{organization_id}/invitations"): {"email": "x@example.org", "role": "organizer"},
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """What belongs to Alice's organization: a draft, and a place that a guest has paid for."""

    people: Personas
    ids: dict[str, str]
    place: Registration


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


@pytest.fixture
def foreign(settings: Any) -> Foreign:
    settings.SECOND_FACTOR_REQUIRED = False  # what keeps strangers out is never the second factor alone
    people = personas()
    ours = {"organization": people.organization, "host": people.alice}
    draft = DraftEventFactory(title="Unannounced", **ours)
    place = pay(register(paid_event(**ours), email="guest@private.example", name="Private Guest").registration)
    signed_in = UserSession.objects.create(user=people.alice, ip="192.0.2.1", user_agent="Alice's", session_key="alices-session")
    assert place.payment_id is not None
    receipt = issuing.issue(payment_id=place.payment_id)[0]
    ids = {"event": draft.public_id, "event_id": draft.public_id, "registration_id": place.public_id, "session_id": str(signed_in.pk)}
    making.payment(people.organization, amount=90_000)
    read_balances()
    payout = paid_out(people.organization, 2000)
    written(payout)
    ids |= {"organization_id": people.organization.public_id, "payout_id": payout.public_id}
    ids["organization"] = people.organization.slug
    ids["document_id"] = receipt.public_id
    made = check_ins.check_in(event_id=place.event_id, registration_id=place.pk, by=people.as_alice)
    ids["check_in_id"] = made.check_in.public_id
    ids["invitation_id"] = making.invitation(people.organization, people.alice, "asked@private.example").public_id
    ids["membership_id"] = people.bob.memberships.get().public_id
    return Foreign(people, ids, place)


def stranger(who: str, people: Personas) -> Client:
    client = Client()
    if who == "charlie":
        client.force_login(people.charlie)
    elif who == "ended member":
        people.bob.memberships.update(ended_at=timezone.now())
        client.force_login(people.bob)
    elif who == "nobody's member":
        client.force_login(UserFactory.create())
    return client


def state_of_everything() -> tuple[Any, ...]:
    return (
        list(Event.objects.order_by("pk").values_list("pk", "state", "seats_taken")),
        list(Registration.objects.order_by("pk").values_list("pk", "state", "cancel_reason")),
        Refund.objects.count(),
        PayoutRequest.objects.count(),
        CheckoutSession.objects.count(),
        list(CheckIn.objects.order_by("pk").values_list("pk", "undone_at")),
        AuditEntry.objects.count(),
        list(Invitation.objects.order_by("pk").values_list("pk", "state", "number")),
        list(Membership.objects.order_by("pk").values_list("pk", "role", "ended_at")),
        UserSession.objects.filter(session_key="alices-session").count(),
    )


@pytest.mark.parametrize("who", ["anonymous", "charlie", "ended member", "nobody's member"])
@pytest.mark.parametrize(("method", "path"), WITH_OBJECT, ids=[f"{method} {path}" for method, path in WITH_OBJECT])
def test_shows_and_changes_nothing_of_another_organization(method: str, path: str, who: str, foreign: Foreign) -> None:
    client, before = stranger(who, foreign.people), state_of_everything()
    body = json.dumps(BODIES[method, path]) if (method, path) in BODIES else b""
    headers = {"Idempotency-Key": "walk"}
    answer = client.generic(method, path.format(**foreign.ids), body, "application/json", headers=headers)
    assert answer.status_code in ((401, 404) if who == "anonymous" else (404,)), answer.content
    for private in (b"Unannounced", b"guest@private.example", b"Private Guest", b"asked@private.example"):
        assert private not in answer.content
    assert state_of_everything() == before


@pytest.mark.parametrize("key", ["wrong", "0SbnMZ0wBKFv3TpUv7uYHAyaKsvG4u9y93GUkP6Rnxk"])
@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("GET", "/receipt"), ("GET", "/attendance"), ("POST", "/cancel"), ("POST", "/checkout")]
)
def test_opens_nothing_by_a_key_that_is_not_the_registrations(method: str, suffix: str, key: str, foreign: Foreign) -> None:
    before = state_of_everything()
    path = f"/api/v1/registrations/{foreign.place.public_id}{suffix}?key={key}"
    answer = Client().generic(method, path, b"", "application/json", headers={"Idempotency-Key": "walk"})
    assert answer.status_code == 404
    assert state_of_everything() == before


@pytest.mark.parametrize(("method", "path"), sorted(WITHOUT_OBJECT))
@pytest.mark.parametrize("who", ["charlie", "ended member"])
def test_lists_nothing_of_another_organization(method: str, path: str, who: str, foreign: Foreign) -> None:
    answer = stranger(who, foreign.people).generic(method, path, b"{}" if method == "PATCH" else b"", "application/json")
    assert answer.status_code in ((422, 400) if method == "POST" else (200, 204))
    for private in (b"Unannounced", b"guest@private.example", b"Private Guest", foreign.place.public_id.encode()):
        assert private not in answer.content


def test_the_walk_can_fail_since_the_organizations_own_people_do_get_in(foreign: Foreign) -> None:
    client = Client()
    client.force_login(foreign.people.alice)
    Organization.objects.filter(pk=foreign.people.organization.pk).update(is_public=True)
    seen = [client.get(path.format(**foreign.ids)).status_code for method, path in WITH_OBJECT if method == "GET" and "/me/" not in path]
    assert seen == [200] * len(seen)
    assert seen
