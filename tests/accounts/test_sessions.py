"""How long a sign-in lasts, and ending one."""

from datetime import timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone

from accounts import sessions
from audit.models import AuditEntry
from core.errors import NotFound
from tests.accounts.test_pages import NEW, sign_in
from tests.factories.people import PASSWORD, UserFactory, actor

pytestmark = pytest.mark.django_db


def is_in(client: Client) -> bool:
    return client.get("/api/v1/me").status_code == 200


@pytest.fixture
def alice_in(client: Client) -> Client:
    sign_in(client, UserFactory.create(staff_groups=["support"]))
    return client


@pytest.mark.gap("10.2")
class TestLifetime:
    def test_ends_after_seven_days_without_use(self, alice_in: Client) -> None:
        with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
            assert not is_in(alice_in)

    def test_goes_on_while_it_is_used(self, alice_in: Client) -> None:
        for day in (6, 12, 18):
            with time_machine.travel(timezone.now() + timedelta(days=day), tick=False):
                assert is_in(alice_in)

    def test_ends_after_thirty_days_however_often_it_was_used(self, alice_in: Client) -> None:
        start = timezone.now()
        for day in range(0, 30, 5):
            with time_machine.travel(start + timedelta(days=day), tick=False):
                assert is_in(alice_in)
        with time_machine.travel(start + timedelta(days=30, minutes=1), tick=False):
            assert not is_in(alice_in)

    def test_ends_in_a_console_after_eight_hours_though_public_pages_were_used(self, alice_in: Client) -> None:
        start = timezone.now()
        with time_machine.travel(start + timedelta(hours=7), tick=False):
            assert is_in(alice_in)
        with time_machine.travel(start + timedelta(hours=8, minutes=1), tick=False):
            alice_in.get("/staff/")
            assert not is_in(alice_in)


@pytest.mark.gap("2.12")
class TestEnding:
    def test_refuses_the_next_request_of_the_one_that_was_ended(self, alice_in: Client) -> None:
        row = UserSession.objects.get()
        sessions.end(session_id=row.pk, user=row.user, by=actor(row.user))
        assert not is_in(alice_in)
        assert AuditEntry.objects.filter(action="user.sessions_ended").count() == 1

    def test_does_not_find_the_session_of_somebody_else(self, alice_in: Client) -> None:
        charlie = UserFactory.create()
        with pytest.raises(NotFound):
            sessions.end(session_id=UserSession.objects.get().pk, user=charlie, by=actor(charlie))
        assert is_in(alice_in)

    @pytest.mark.rule("S24")
    def test_a_changed_password_ends_the_others_and_keeps_this_one(self, alice_in: Client) -> None:
        user, elsewhere = UserSession.objects.get().user, Client()
        sign_in(elsewhere, user)
        changed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
        assert alice_in.post("/accounts/password/change/", changed).status_code == 302
        assert is_in(alice_in)
        assert not is_in(elsewhere)
