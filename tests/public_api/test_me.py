"""Whoever is signed in: by cookie or by token."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from registrations.models import Registration
from tests.factories.events import EventFactory
from tests.factories.people import PASSWORD, UserFactory, personas
from tests.factories.registrations import paid_event, register
from tests.public_api.calling import call, code, get, post, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_attempts_yet(db: None) -> None:
    cache.clear()


def app_sign_in(client: Client, user: User, password: str = PASSWORD) -> Any:
    return call(client, "POST", "/auth/app/v1/auth/login", {"email": user.email, "password": password})


class TestToken:
    def test_is_given_by_signing_in_and_opens_the_account_until_it_is_ended(self, client: Client) -> None:
        user = UserFactory.create()
        token = app_sign_in(client, user).json()["meta"]["session_token"]
        answer = get(client, "/me", X_Session_Token=token)
        assert (answer.status_code, answer.json()["email"]) == (200, user.email)
        assert not answer.cookies
        assert call(client, "DELETE", "/auth/app/v1/auth/session", X_Session_Token=token).status_code == 401
        assert get(client, "/me", X_Session_Token=token).status_code == 401

    @pytest.mark.parametrize("token", ["x", "a" * 32, "../" * 9, "a" * 5000])
    def test_that_is_unknown_is_refused_even_where_nobody_must_sign_in(self, client: Client, token: str) -> None:
        assert get(client, "/events", X_Session_Token=token).status_code == 401

    def test_needs_no_csrf_token_and_changes_what_it_may(self) -> None:
        user, client = UserFactory.create(), Client(enforce_csrf_checks=True)
        token = app_sign_in(client, user).json()["meta"]["session_token"]
        answer = call(client, "PATCH", "/me", {"name": "Zoë"}, X_Session_Token=token)
        assert (answer.status_code, User.objects.get(pk=user.pk).name) == (200, "Zoë")

    @pytest.mark.gap("10.2")
    def test_ends_after_seven_days_without_use(self, client: Client) -> None:
        token = app_sign_in(client, UserFactory.create()).json()["meta"]["session_token"]
        with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
            assert get(client, "/me", X_Session_Token=token).status_code == 401

    @pytest.mark.gap("8.2")
    def test_is_refused_in_the_envelope_and_the_pending_step_is_named(self, client: Client) -> None:
        user = UserFactory.create()
        wrong = app_sign_in(client, user, "not the password at all")
        assert (wrong.status_code, code(wrong)) == (400, "SIGN_IN_REFUSED")
        TOTP.activate(user, generate_totp_secret())
        pending = app_sign_in(client, user)
        details = pending.json()["error"]["details"]
        assert (pending.status_code, code(pending)) == (401, "AUTHENTICATION_REQUIRED")
        assert {"id": "mfa_authenticate", "is_pending": True} in [
            {"id": flow["id"], "is_pending": flow.get("is_pending")} for flow in details["flows"]
        ]
        assert details["meta"]["session_token"]
        assert get(client, "/me", X_Session_Token=details["meta"]["session_token"]).status_code == 401

    @pytest.mark.gap("10.4")
    def test_of_staff_counts_as_staff_only_after_the_second_factor(self, client: Client) -> None:
        support, secret = UserFactory.create(staff_groups=["support"]), generate_totp_secret()
        event = EventFactory()
        path = f"/events/{event.public_id}/registrations"
        plain = app_sign_in(client, support).json()["meta"]["session_token"]
        assert get(client, path, X_Session_Token=plain).status_code == 404
        TOTP.activate(support, secret)
        token = app_sign_in(client, support).json()["error"]["details"]["meta"]["session_token"]
        entered = {"code": format_hotp_value(hotp_value(secret, int(time.time()) // 30))}
        done = call(client, "POST", "/auth/app/v1/auth/2fa/authenticate", entered, X_Session_Token=token)
        token = done.json()["meta"].get("session_token", token)
        assert get(client, path, X_Session_Token=token).status_code == 200
        assert get(client, "/me", X_Session_Token=token).json()["second_factor_used_at"] is not None

    @pytest.mark.gap("9.5")
    def test_is_not_given_after_five_wrong_passwords(self, client: Client) -> None:
        user = UserFactory.create()
        for _ in range(5):
            app_sign_in(client, user, "not the password at all")
        answer = app_sign_in(client, user)
        assert answer.status_code in (400, 429)
        assert "session_token" not in answer.content.decode()


class TestCookie:
    def test_needs_the_csrf_token_for_a_change_but_not_for_reading(self) -> None:
        user = UserFactory.create()
        client = signed_in(user, with_csrf_checks=True)
        assert get(client, "/me").status_code == 200
        refused = call(client, "PATCH", "/me", {"name": "Mallory"})
        assert (refused.status_code, code(refused)) == (403, "CSRF_FAILED")
        assert User.objects.get(pk=user.pk).name != "Mallory"
        get(client, "/auth/browser/v1/config")
        allowed = call(client, "PATCH", "/me", {"name": "Zoë"}, X_CSRFToken=client.cookies["csrftoken"].value)
        assert allowed.status_code == 200

    def test_of_a_browser_signs_in_with_csrf_and_the_refusal_has_the_envelope(self) -> None:
        client, user = Client(enforce_csrf_checks=True), UserFactory.create()
        path, body = "/auth/browser/v1/auth/login", {"email": user.email, "password": PASSWORD}
        refused = call(client, "POST", path, body)
        assert (refused.status_code, code(refused)) == (403, "CSRF_FAILED")
        get(client, "/auth/browser/v1/config")
        assert call(client, "POST", path, body, X_CSRFToken=client.cookies["csrftoken"].value).status_code == 200
        assert get(client, "/me").status_code == 200

    def test_of_a_closed_account_opens_nothing(self) -> None:
        user = UserFactory.create()
        client = signed_in(user)
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert get(client, "/me").status_code == 401


class TestProfile:
    def test_names_the_memberships_that_hold(self) -> None:
        people = personas()
        assert [one["slug"] for one in get(signed_in(people.bob), "/me").json()["memberships"]] == [people.organization.slug]
        people.bob.memberships.update(ended_at=timezone.now())
        assert get(signed_in(people.bob), "/me").json()["memberships"] == []

    def test_changes_name_and_zone_and_says_so_in_the_audit_log(self) -> None:
        user = UserFactory.create(name="Old")
        answer = call(signed_in(user), "PATCH", "/me", {"name": "  زوي 🦉 ", "time_zone": "Asia/Tokyo"})
        assert (answer.json()["name"], answer.json()["time_zone"]) == ("زوي 🦉", "Asia/Tokyo")
        entry = AuditEntry.objects.get(action="user.changed")
        assert (entry.before["name"], entry.after["name"]) == ("Old", "زوي 🦉")

    @pytest.mark.rule("S7")
    @pytest.mark.parametrize(
        "body", [{"time_zone": "Mars/Olympus"}, {"name": ""}, {"email": "x@example.org"}, {"staff_groups": ["finance"]}, []]
    )
    def test_refuses_what_is_not_to_be_changed_here(self, body: Any) -> None:
        user = UserFactory.create(name="Old")
        assert call(signed_in(user), "PATCH", "/me", body).status_code == 422
        assert (User.objects.get(pk=user.pk).name, User.objects.get(pk=user.pk).staff_groups) == ("Old", [])


class TestOwnRegistrations:
    def test_are_listed_page_by_page_and_are_ones_own_only(self) -> None:
        people = personas()
        event = EventFactory(organization=people.organization, host=people.alice)
        for other in (EventFactory(), EventFactory(), EventFactory()):
            register(other, people.alice)
        register(event, people.charlie)
        client = signed_in(people.alice)
        first = get(client, "/me/registrations?limit=2").json()
        second = get(client, f"/me/registrations?limit=2&cursor={first['next']}").json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)

    @pytest.mark.gap("4.2")
    def test_of_somebody_else_are_not_found_even_by_their_organizer(self) -> None:
        people = personas()
        theirs = register(EventFactory(organization=people.organization, host=people.alice), people.charlie).registration
        client = signed_in(people.alice)
        assert get(client, f"/me/registrations/{theirs.public_id}").status_code == 404
        assert post(client, f"/me/registrations/{theirs.public_id}/cancel").status_code == 404
        assert Registration.objects.get().state == "confirmed"

    def test_can_be_given_up_and_paid(self, sandbox: Any) -> None:
        user = UserFactory.create()
        client = signed_in(user)
        free, paid = register(EventFactory(), user).registration, register(paid_event(), user).registration
        assert post(client, f"/me/registrations/{free.public_id}/cancel").json()["state"] == "cancelled"
        assert post(client, f"/me/registrations/{paid.public_id}/checkout").json()["checkout_url"].startswith(sandbox.url)
        again = post(client, f"/me/registrations/{free.public_id}/cancel")
        assert (again.status_code, code(again)) == (409, "ALREADY_CANCELLED")


@pytest.mark.gap("2.12")
class TestSessions:
    def test_are_listed_and_one_is_ended(self) -> None:
        user, here, there = UserFactory.create(), Client(), Client()
        tokens = [app_sign_in(client, user).json()["meta"]["session_token"] for client in (here, there)]
        found = get(here, "/me/sessions", X_Session_Token=tokens[0]).json()["items"]
        assert sorted(one["is_current"] for one in found) == [False, True]
        other = next(one["id"] for one in found if not one["is_current"])
        assert call(here, "DELETE", f"/me/sessions/{other}", X_Session_Token=tokens[0]).status_code == 204
        assert get(there, "/me", X_Session_Token=tokens[1]).status_code == 401
        assert get(here, "/me", X_Session_Token=tokens[0]).status_code == 200

    def test_all_others_are_ended_at_once(self) -> None:
        user, client = UserFactory.create(), Client()
        tokens = [app_sign_in(Client(), user).json()["meta"]["session_token"] for _ in range(3)]
        assert call(client, "DELETE", "/me/sessions", X_Session_Token=tokens[0]).status_code == 204
        assert [get(client, "/me", X_Session_Token=token).status_code for token in tokens] == [200, 401, 401]

    def test_of_somebody_else_is_not_found(self) -> None:
        user, charlie = UserFactory.create(), UserFactory.create()
        app_sign_in(Client(), user)
        row = UserSession.objects.get(user=user)
        assert call(signed_in(charlie), "DELETE", f"/me/sessions/{row.pk}").status_code == 404
        assert UserSession.objects.filter(pk=row.pk).exists()


class TestOrganizing:
    def test_publishes_and_names_everything_that_is_missing_at_once(self) -> None:
        people = personas()
        draft = EventFactory.create(organization=people.organization, host=people.alice)
        published = post(signed_in(people.alice), f"/events/{draft.public_id}/publish", key="")
        assert (published.status_code, code(published)) == (409, "STATE_CHANGED")

    def test_lists_who_is_coming_to_ones_own_events_only(self) -> None:
        people = personas()
        event = EventFactory(organization=people.organization, host=people.alice)
        mine = register(event)
        path = f"/events/{event.public_id}/registrations"
        listed = get(signed_in(people.bob), path).json()["items"]
        assert [one["id"] for one in listed] == [mine.registration.public_id]
        assert get(signed_in(people.bob), f"{path}?state=cancelled").json()["items"] == []
        assert get(signed_in(people.charlie), path).status_code == 404
        assert get(Client(), path).status_code == 401


def test_json_of_the_schema_is_served_and_the_page_about_it_obeys_the_strict_policy(client: Client) -> None:
    assert json.loads(client.get("/api/v1/openapi.json").content)["openapi"].startswith("3.")
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "cdn" not in page.content.decode()
