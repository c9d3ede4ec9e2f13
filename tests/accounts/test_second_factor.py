"""What counts as a second factor used in this sign-in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import second_factor
from accounts.models import User
from tests.accounts.test_pages import code_for, sign_in, with_totp
from tests.factories.people import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.gap("10.4")]


@pytest.fixture
def request_of(client: Client, rf: RequestFactory) -> Callable[[User], HttpRequest]:
    def make(user: User) -> HttpRequest:
        request: Any = rf.get("/")
        request.user, request.session = user, SessionStore(client.session.session_key)
        return request

    return make


def test_is_not_used_by_a_password_alone(client: Client, request_of: Callable[[User], HttpRequest]) -> None:
    user = UserFactory.create()
    sign_in(client, user)
    assert second_factor.used_at(request_of(user)) is None
    assert not second_factor.second_factor_satisfied(request_of(user))


def test_was_used_when_the_code_was_entered(client: Client, request_of: Callable[[User], HttpRequest]) -> None:
    user = UserFactory.create()
    secret = with_totp(user)
    sign_in(client, user)
    client.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
    used_at = second_factor.used_at(request_of(user))
    assert used_at is not None
    assert timezone.now() - used_at < timedelta(seconds=30)
    assert second_factor.second_factor_satisfied(request_of(user))


def test_of_one_person_counts_for_nobody_else_in_the_same_session(client: Client, request_of: Callable[[User], HttpRequest]) -> None:
    user = UserFactory.create()
    secret = with_totp(user)
    sign_in(client, user)
    client.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
    assert second_factor.used_at(request_of(UserFactory.create())) is None


def test_is_not_asked_for_in_the_demo_and_still_not_claimed_to_have_been_used(settings: Any, rf: RequestFactory) -> None:
    settings.SECOND_FACTOR_REQUIRED = False
    request: Any = rf.get("/")
    request.user, request.session = AnonymousUser(), SessionStore()
    assert second_factor.second_factor_satisfied(request)
    assert second_factor.used_at(request) is None
