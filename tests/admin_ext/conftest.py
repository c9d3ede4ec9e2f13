"""Alice owns North Clinic, Bob is her colleague, Charlie runs Rival Academy; Finance and Francis are the platform's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from accounts.models import User
from audit.actor import Actor
from billing import fulfillment
from organizations.models import Organization
from tests.admin_ext import making
from tests.factories.people import actor

type SignIn = Callable[..., Client]


@dataclass(frozen=True, slots=True)
class People:
    north: Organization
    rival: Organization
    alice: User
    bob: User
    charlie: User
    finance: User
    francis: User
    support: User


class Nothing:
    """Fulfillment of what these tests sell: nothing happens."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **values: None


@pytest.fixture(autouse=True)
def sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fulfillment._handlers, "test", Nothing())


@pytest.fixture
def people(db: None) -> People:
    north, rival = making.organization("North Clinic"), making.organization("Rival Academy")
    alice, bob, charlie = making.user("alice"), making.user("bob"), making.user("charlie")
    making.member(north, alice)
    making.member(north, bob, "organizer")
    making.member(rival, charlie)
    staff = [making.user(name, groups=(group,)) for name, group in (("finance", "finance"), ("francis", "finance"), ("support", "support"))]
    return People(north, rival, alice, bob, charlie, *staff)


def sign_in(person: User, *, factor: bool = True, factor_age: float = 0, enrolled: bool = True) -> Client:
    """A signed-in browser. factor: whether this sign-in used the second factor, factor_age seconds ago."""
    client = Client()
    client.force_login(person)
    if enrolled and not Authenticator.objects.filter(user=person).exists():
        TOTP.activate(person, generate_totp_secret())
    session = client.session
    records: list[dict[str, Any]] = [{"method": "password", "at": time.time()}]
    if factor:
        records.append({"method": "mfa", "at": time.time() - factor_age, "type": "totp"})
    session["account_authentication_methods"] = records
    session["account_authentication_methods_user"] = str(person.pk)
    session.save()
    return client


def acting(person: User) -> Actor:
    """The person with a second factor used just now, for what happened before the test."""
    return actor(person)
