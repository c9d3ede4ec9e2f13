"""Guests' places join the account whose address they stand under, once it is proven."""

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.contrib.messages.storage.fallback import FallbackStorage
from django.test import RequestFactory

from audit.models import AuditEntry
from registrations import guest_links, joining, registering
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.people import UserFactory
from tests.factories.registrations import confirmed, current, paid_event, pay, register


@pytest.mark.django_db
class TestJoinVerified:
    def test_gives_the_account_every_guests_place_under_its_address(self) -> None:
        free = register(EventFactory(), email="zoe@example.org").registration
        unpaid = register(paid_event(), email="zoe@example.org").registration
        other = register(EventFactory(), email="not-zoe@example.org").registration
        user = UserFactory(email="zoe@example.org")

        for _ in range(2):
            joining.join_verified(user_id=user.pk, email="Zoe@Example.org")

        assert current(free).user_id == current(unpaid).user_id == user.pk
        assert current(other).user_id is None
        assert AuditEntry.objects.filter(object_id=free.pk, action="registration.joined").count() == 1

    def test_leaves_a_place_at_an_event_where_the_account_has_one(self) -> None:
        event, user = EventFactory(), UserFactory()
        register(event, user)
        guests = register(event, email="old@example.org").registration

        joining.join_verified(user_id=user.pk, email="old@example.org")
        assert current(guests).user_id is None

    def test_gives_at_most_one_active_place_of_an_event_to_the_account(self) -> None:
        event, user = EventFactory(), UserFactory(email="zoe@example.org", verified=False)
        first = confirmed(event, email="zoe@example.org")
        first.cancel(at=first.created_at, reason="attendee")
        first.save()
        second = register(event, email="zoe@example.org").registration

        joining.join_verified(user_id=user.pk, email="zoe@example.org")
        assert current(first).user_id == current(second).user_id == user.pk

    def test_takes_anothers_place_from_nobody(self) -> None:
        user, other = UserFactory(), UserFactory()
        place = register(EventFactory(), other).registration
        joining.join_verified(user_id=user.pk, email=other.email)

        assert current(place).user_id == other.pk


@pytest.mark.django_db
class TestWhenItHappens:
    def test_on_verifying_the_address(self) -> None:
        place = register(EventFactory(), email="zoe@example.org").registration
        user = UserFactory(email="zoe@example.org", verified=False)
        request = RequestFactory().get("/")
        request.session = {}  # type: ignore[assignment]
        request._messages = FallbackStorage(request)  # type: ignore[attr-defined]

        assert get_adapter().confirm_email(request, EmailAddress.objects.get(user=user))
        assert current(place).user_id == user.pk

    def test_on_confirming_a_place_under_an_address_that_is_proven_already(self) -> None:
        user = UserFactory()
        place = confirmed(EventFactory(), email=user.email)

        assert current(place).user_id == user.pk

    def test_on_paying_for_one(self) -> None:
        user = UserFactory()

        assert pay(register(paid_event(), email=user.email).registration).user_id == user.pk

    def test_never_for_an_address_that_is_not_proven(self) -> None:
        user = UserFactory(verified=False)

        assert current(confirmed(EventFactory(), email=user.email)).user_id is None

    def test_not_where_the_account_has_a_place_there(self) -> None:
        event, user = EventFactory(), UserFactory()
        held = register(event, email=user.email).registration
        mine = register(event, UserFactory()).registration
        Registration.objects.filter(pk=mine.pk).update(user=user)

        registering.confirm_address(registration_id=held.pk, key=guest_links.confirm_key(held.pk))
        after = current(held)
        assert (after.state, after.user_id) == (Registration.State.CONFIRMED, None)
