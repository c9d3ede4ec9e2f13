"""Signing in and everything around it, through the pages."""

import re
import time
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from accounts.models import User
from notifications.models import Message
from tests.factories.people import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
NEW = "a much longer passphrase 42"


@pytest.fixture(autouse=True)
def half_minutes_may_end(settings: Any) -> None:
    """A code is taken although its half minute ends between making and entering it."""
    settings.MFA_TOTP_TOLERANCE = 1


def code_for(secret: str) -> str:
    """The six digits of now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def sign_in(client: Client, user: User, password: str = PASSWORD) -> Any:
    return client.post(reverse("account_login"), {"login": user.email, "password": password})


def with_totp(user: User) -> str:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


class TestSigningUp:
    def test_asks_for_the_code_that_was_mailed_and_then_signs_in(self, client: Client) -> None:
        answer = client.post(reverse("account_signup"), {"email": "Zoe@Example.org", "password1": NEW})
        assert answer["Location"] == reverse("account_email_verification_sent")
        mail = Message.objects.get(kind="account_code")
        assert mail.to == "zoe@example.org"
        code = re.search(r"Your code is (\S+)", mail.text)
        assert code is not None
        client.post(reverse("account_email_verification_sent"), {"code": code[1]})
        assert User.objects.get(email="zoe@example.org").emailaddress_set.get().verified
        assert client.get(reverse("account_email")).status_code == 200

    @pytest.mark.gap("10.3")
    @pytest.mark.parametrize("password", ["short-1A!", "aaaaaaaaaaa", "123456789012345", "password1234"])
    def test_refuses_a_password_that_is_short_or_common(self, client: Client, password: str) -> None:
        answer = client.post(reverse("account_signup"), {"email": "zoe@example.org", "password1": password})
        assert answer.status_code == 200
        assert not User.objects.exists()

    @pytest.mark.rule("S18")
    def test_answers_a_known_address_as_an_unknown_one_and_mails_the_owner(self, client: Client) -> None:
        known = UserFactory.create()
        for_known = client.post(reverse("account_signup"), {"email": known.email, "password1": NEW})
        for_unknown = Client().post(reverse("account_signup"), {"email": "new@example.org", "password1": NEW})
        assert (for_known.status_code, for_known["Location"]) == (for_unknown.status_code, for_unknown["Location"])
        assert Message.objects.get(to=known.email).kind == "account_exists"
        assert known.check_password(PASSWORD)


class TestSigningIn:
    def test_opens_a_session_that_is_listed(self, client: Client) -> None:
        user = UserFactory.create()
        assert sign_in(client, user).status_code == 302
        assert UserSession.objects.get(user=user).session_key == client.session.session_key
        assert b"this one" in client.get(reverse("usersessions_list")).content

    @pytest.mark.rule("S18")
    def test_says_the_same_for_a_wrong_password_and_an_unknown_address(self, client: Client) -> None:
        user = UserFactory.create()
        wrong = sign_in(client, user, "not the password at all")
        unknown = client.post(reverse("account_login"), {"login": "nobody@example.org", "password": PASSWORD})
        assert wrong.context["form"].errors == unknown.context["form"].errors
        assert "_auth_user_id" not in client.session

    def test_refuses_a_closed_account(self, client: Client) -> None:
        sign_in(client, UserFactory.create(is_active=False))
        assert "_auth_user_id" not in client.session

    @pytest.mark.gap("9.5")
    def test_locks_after_five_wrong_passwords_even_for_the_right_one(self, client: Client) -> None:
        user = UserFactory.create()
        for _ in range(5):
            sign_in(client, user, "not the password at all")
        sign_in(client, user)
        assert "_auth_user_id" not in client.session

    @pytest.mark.gap("10.4")
    def test_asks_for_the_second_factor_where_there_is_one(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        assert sign_in(client, user)["Location"] == reverse("mfa_authenticate")
        assert "_auth_user_id" not in client.session
        client.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
        assert client.session["_auth_user_id"] == str(user.pk)

    def test_does_not_go_where_a_stranger_wants(self, client: Client) -> None:
        user = UserFactory.create()
        answer = client.post(f"{reverse('account_login')}?next=https://evil.example/", {"login": user.email, "password": PASSWORD})
        assert answer["Location"] == "/"


class TestSecondFactor:
    def test_is_set_up_with_the_secret_of_the_page_and_gives_recovery_codes(
        self, client: Client, django_capture_on_commit_callbacks: Any
    ) -> None:
        user = UserFactory.create()
        sign_in(client, user)
        assert client.get(reverse("mfa_activate_totp"))["Location"].startswith(reverse("account_reauthenticate"))
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        page = client.get(reverse("mfa_activate_totp")).content.decode()
        assert "data:image/svg+xml;base64," in page
        secret = re.search(r'<code id="secret">(\w+)</code>', page)
        assert secret is not None
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(reverse("mfa_activate_totp"), {"code": code_for(secret[1])})
        assert answer["Location"] == reverse("mfa_view_recovery_codes")
        codes = re.search(r'<pre id="recovery-codes">([^<]+)</pre>', client.get(answer["Location"]).content.decode())
        assert codes is not None
        assert len(codes[1].split()) == 10
        assert Message.objects.filter(to=user.email, kind="account_notice").exists()


class TestPasswordReset:
    @pytest.mark.rule("S18")
    def test_answers_the_same_whether_there_is_an_account(self, client: Client) -> None:
        user = UserFactory.create()
        answers = [client.post(reverse("account_reset_password"), {"email": email}) for email in (user.email, "nobody@example.org")]
        assert {(answer.status_code, answer["Location"]) for answer in answers} == {(302, reverse("account_reset_password_done"))}
        assert {(mail.to, mail.kind) for mail in Message.objects.all()} == {
            (user.email, "account_password_reset"),
            ("nobody@example.org", "account_unknown"),
        }

    @pytest.mark.rule("S5")
    def test_works_once_and_ends_every_session(self, client: Client) -> None:
        user = UserFactory.create()
        elsewhere = Client()
        sign_in(elsewhere, user)
        client.post(reverse("account_reset_password"), {"email": user.email})
        link = re.search(r"http://[^/]+(/accounts/password/reset/key/\S+)", Message.objects.get().text)
        assert link is not None
        form = client.get(link[1], follow=True)
        action = form.redirect_chain[-1][0]
        client.post(action, {"password1": NEW, "password2": NEW})
        assert User.objects.get(pk=user.pk).check_password(NEW)
        assert elsewhere.get("/api/v1/me").status_code == 401
        assert b"no longer works" in Client().get(link[1], follow=True).content


@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_reset_password", "account_reset_password_done", "account_inactive"]
)
def test_pages_of_signing_in_are_ours_and_obey_the_strict_policy(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "web/site.css" in page
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|style=|<script|onclick=", page)
    assert page.count("<h1>") == 1


@pytest.mark.parametrize(
    "name",
    [
        "account_email",
        "account_change_password",
        "mfa_index",
        "mfa_activate_totp",
        "usersessions_list",
        "account_logout",
        "account_reauthenticate",
    ],
)
def test_pages_of_the_account_are_ours_and_obey_the_strict_policy(client: Client, name: str) -> None:
    sign_in(client, UserFactory.create())
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    answer = client.get(reverse(name))
    page = answer.content.decode()
    assert answer.status_code == 200, answer
    assert "web/site.css" in page
    assert not re.search(r"<style|style=|<script|onclick=", page)
    assert page.count("<h1>") == 1


@pytest.mark.gap("10.4")
@pytest.mark.parametrize("required", [True, False])
def test_pages_say_where_no_second_factor_is_asked_for(client: Client, settings: Any, required: bool) -> None:
    settings.SECOND_FACTOR_REQUIRED = required
    page = client.get(reverse("account_login")).content
    assert (b"sign-in without a second factor" in page) is not required
