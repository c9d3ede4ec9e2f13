"""The first staff account."""

from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import AuditEntry
from tests.accounts.test_pages import NEW, sign_in
from tests.factories.people import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.rule("S2")]


def bootstrap(email: str = "root@example.org") -> str:
    out = StringIO()
    call_command("bootstrap_staff", email, stdout=out, stderr=StringIO())
    return urlsplit(out.getvalue().strip()).path


class TestBootstrap:
    def test_makes_an_account_that_nobody_can_sign_in_to_yet(self) -> None:
        bootstrap()
        user = User.objects.get(email="root@example.org")
        assert not user.has_usable_password()
        assert user.is_staff
        assert AuditEntry.objects.get(object_id=user.pk).action == "user.bootstrapped"

    @pytest.mark.gap("10.3")
    def test_prints_a_link_that_sets_a_password_once_and_not_a_weak_one(self, client: Client) -> None:
        link = bootstrap()
        action = client.get(link, follow=True).redirect_chain[-1][0]
        client.post(action, {"password1": "short", "password2": "short"})
        assert not User.objects.get().has_usable_password()
        client.post(action, {"password1": NEW, "password2": NEW})
        assert User.objects.get().check_password(NEW)
        assert b"no longer works" in Client().get(link, follow=True).content

    @pytest.mark.gap("10.4")
    def test_leads_to_a_console_that_asks_for_the_second_factor(self, client: Client) -> None:
        action = client.get(bootstrap(), follow=True).redirect_chain[-1][0]
        client.post(action, {"password1": NEW, "password2": NEW})
        sign_in(client, User.objects.get(), NEW)
        answer = client.get("/staff/", follow=True)
        assert answer.status_code == 200
        assert answer.redirect_chain[-1][0].startswith(("/accounts/2fa/totp/activate/", "/accounts/reauthenticate/"))

    def test_gives_a_new_link_while_no_password_is_set(self) -> None:
        assert bootstrap() != ""
        assert bootstrap() != ""
        assert User.objects.count() == 1

    def test_refuses_an_account_that_has_a_password(self) -> None:
        user = UserFactory.create()
        with pytest.raises(CommandError, match="has a password already"):
            bootstrap(user.email)
        assert not User.objects.get().is_staff

    def test_refuses_what_is_no_address(self) -> None:
        with pytest.raises(CommandError, match="email address"):
            bootstrap("root")
