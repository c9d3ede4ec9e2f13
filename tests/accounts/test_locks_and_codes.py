"""What cannot be guessed, used twice or used late."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import sign_in_locks
from accounts.models import User
from admin_ext import unlocking
from audit.actor import StaffGroup
from audit.models import AuditEntry
from config.env import BASE_DIR
from core.errors import InvalidInput, PermissionRefused, StepUpRequired
from notifications.models import Message
from tests.accounts.test_bootstrap import bootstrap
from tests.accounts.test_pages import code_for, sign_in, with_totp
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in as console_sign_in
from tests.factories.people import PASSWORD, UserFactory, actor, staff

pytestmark = pytest.mark.django_db
WEAK = ["short-1A!", "123456789012345", "password1234"]


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def from_address(ip: str) -> Client:
    return Client(REMOTE_ADDR=ip)


@pytest.mark.gap("9.5")
class TestLock:
    def test_is_of_the_account_wherever_the_attempts_come_from(self) -> None:
        user = UserFactory.create()
        for last in range(5):
            sign_in(from_address(f"192.0.2.{last}"), user, "not the password at all")
        fresh = from_address("192.0.2.99")
        sign_in(fresh, user)
        assert not signed_in(fresh)

    def test_is_over_after_a_quarter_of_an_hour(self, client: Client) -> None:
        user = UserFactory.create()
        for _ in range(5):
            sign_in(client, user, "not the password at all")
        with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=5), tick=False):
            sign_in(client, user)
            assert signed_in(client)

    def test_grows_with_the_failures(self, client: Client) -> None:
        user, start = UserFactory.create(), timezone.now()
        for round_ in range(2):
            with time_machine.travel(start + timedelta(minutes=16 * round_), tick=False):
                for _ in range(5):
                    sign_in(client, user, "not the password at all")
        for minutes, works in ((16 + 16, False), (61, True)):
            with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
                fresh = from_address("192.0.2.99")
                sign_in(fresh, user)
                assert signed_in(fresh) is works

    def test_counts_the_address_whatever_name_of_the_site_is_used(self, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["testserver", "other.example"]
        user = UserFactory.create()
        for host in ("testserver", "other.example") * 3:
            sign_in(Client(SERVER_NAME=host), user, "not the password at all")
        fresh = Client()
        sign_in(fresh, user)
        assert not signed_in(fresh)

    def test_leaves_other_accounts_alone(self, client: Client) -> None:
        user, bob = UserFactory.create(), UserFactory.create()
        for _ in range(5):
            sign_in(client, user, "not the password at all")
        sign_in(client, bob)
        assert signed_in(client)

    def test_cannot_be_escaped_by_a_forged_forwarded_header(self) -> None:
        for number in range(20):
            client = Client(headers={"X-Forwarded-For": f"203.0.113.{number}"})
            sign_in(client, UserFactory.create(), "not the password at all")
        victim = UserFactory.create()
        client = Client(headers={"X-Forwarded-For": "203.0.113.77"})
        sign_in(client, victim)
        assert not signed_in(client)

    def test_holds_for_codes_of_the_second_factor_too(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        sign_in(client, user)
        for _ in range(5):
            client.post(reverse("mfa_authenticate"), {"code": "000000"})
        client.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
        assert not signed_in(client)

    def test_of_resets_lets_three_an_hour_through(self, client: Client) -> None:
        user = UserFactory.create()
        answers = [client.post(reverse("account_reset_password"), {"email": user.email}) for _ in range(4)]
        assert Message.objects.filter(kind="account_password_reset").count() == 3
        assert answers[3].status_code in {200, 429}


@pytest.mark.gap("9.5")
class TestLockInTheConsole:
    def lock_out(self, user: User) -> None:
        for _ in range(5):
            sign_in(Client(), user, "not the password at all")

    def test_is_shown_and_lifted_by_support(self) -> None:
        user, support = UserFactory.create(), making.user("sol", groups=("support",))
        page, console = f"/staff/accounts/user/{user.public_id}", console_sign_in(support)
        assert "Locked until" not in console.get(f"{page}/change/").content.decode()
        self.lock_out(user)
        shown = console.get(f"{page}/change/").content.decode()
        assert "Locked until" in shown
        assert "Lift the sign-in lock" in shown
        token = console.get(f"{page}/unlock/").context["form"].token
        console.post(f"{page}/unlock/", {"token": token, "reason": "Called back by phone"})

        fresh = Client()
        sign_in(fresh, user)
        assert signed_in(fresh)
        entry = AuditEntry.objects.get(action="user.unlocked")
        assert (entry.object_id, entry.user_id, entry.reason) == (user.pk, support.pk, "Called back by phone")
        assert "Lift the sign-in lock" not in console.get(f"{page}/change/").content.decode()

    def test_of_the_second_factor_is_lifted_too(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        sign_in(client, user)
        for _ in range(5):
            client.post(reverse("mfa_authenticate"), {"code": "000000"})
        unlocking.unlock(user_id=user.pk, reason="Called back", by=staff(StaffGroup.SUPPORT))
        client.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
        assert signed_in(client)

    def test_is_supports_matter_with_a_reason_and_a_fresh_factor(self) -> None:
        user = UserFactory.create()
        with pytest.raises(unlocking.NotLocked):
            unlocking.unlock(user_id=user.pk, reason="x", by=staff(StaffGroup.SUPPORT))
        self.lock_out(user)
        for by in (actor(user), staff(StaffGroup.FINANCE), staff(StaffGroup.AUDITOR)):
            with pytest.raises(PermissionRefused):
                unlocking.unlock(user_id=user.pk, reason="x", by=by)
        with pytest.raises(StepUpRequired):
            unlocking.unlock(user_id=user.pk, reason="x", by=replace(staff(StaffGroup.SUPPORT), second_factor_at=None))
        with pytest.raises(InvalidInput):
            unlocking.unlock(user_id=user.pk, reason=" ", by=staff(StaffGroup.SUPPORT))
        assert sign_in_locks.locked_until(user) is not None
        assert not AuditEntry.objects.filter(action="user.unlocked").exists()


@pytest.mark.gap("10.4")
class TestSecondFactor:
    def test_takes_a_code_once(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        now = timezone.now()
        with time_machine.travel(now.replace(second=5), tick=False):
            code = code_for(secret)
            sign_in(client, user)
            client.post(reverse("mfa_authenticate"), {"code": code})
            thief = Client()
            sign_in(thief, user)
            thief.post(reverse("mfa_authenticate"), {"code": code})
        assert signed_in(client)
        assert not signed_in(thief)

    def test_takes_a_recovery_code_once(self, client: Client) -> None:
        user = UserFactory.create()
        with_totp(user)
        code = RecoveryCodes.activate(user).get_unused_codes()[0]
        sign_in(client, user)
        client.post(reverse("mfa_authenticate"), {"code": code})
        thief = Client()
        sign_in(thief, user)
        thief.post(reverse("mfa_authenticate"), {"code": code})
        assert signed_in(client)
        assert not signed_in(thief)
        assert len(Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()) == 9

    def test_entered_again_leads_back_to_where_the_person_was(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        back = "/staff/billing/payment/?q=1"
        client.force_login(user)
        page = client.get(reverse("mfa_reauthenticate"), {"next": back}).content.decode()
        assert 'value="/staff/billing/payment/?q=1"' in page
        answer = client.post(reverse("mfa_reauthenticate"), {"code": code_for(secret), "next": back})
        assert answer["Location"] == back

    def test_entered_again_never_leads_to_another_site(self, client: Client) -> None:
        user = UserFactory.create()
        secret = with_totp(user)
        client.force_login(user)
        answer = client.post(reverse("mfa_reauthenticate"), {"code": code_for(secret), "next": "https://evil.example/"})
        assert answer["Location"] == "/"


@pytest.mark.gap("10.3")
class TestPasswords:
    @pytest.mark.parametrize("weak", WEAK)
    def test_are_held_to_the_rules_when_changed(self, client: Client, weak: str) -> None:
        user = UserFactory.create()
        sign_in(client, user)
        client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": weak, "password2": weak})
        assert User.objects.get(pk=user.pk).check_password(PASSWORD)

    @pytest.mark.parametrize("weak", WEAK)
    def test_are_held_to_the_rules_when_reset(self, client: Client, weak: str) -> None:
        user = UserFactory.create()
        action = client.get(reset_link(client, user), follow=True).redirect_chain[-1][0]
        client.post(action, {"password1": weak, "password2": weak})
        assert User.objects.get(pk=user.pk).check_password(PASSWORD)


@pytest.mark.rule("S5")
class TestLinks:
    @pytest.mark.parametrize(("minutes", "works"), [(59, True), (61, False)])
    def test_of_a_reset_work_for_one_hour(self, client: Client, minutes: int, works: bool) -> None:
        link = reset_link(client, UserFactory.create())
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
            assert (b"no longer works" not in Client().get(link, follow=True).content) is works

    @pytest.mark.rule("S2")
    @pytest.mark.parametrize(("minutes", "works"), [(59, True), (61, False)])
    def test_of_the_bootstrap_work_for_one_hour(self, minutes: int, works: bool) -> None:
        link = bootstrap()
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
            assert (b"no longer works" not in Client().get(link, follow=True).content) is works

    def test_and_codes_are_not_shown_in_the_console(self, client: Client) -> None:
        reset_link(client, UserFactory.create())
        message = Message.objects.get(kind="account_password_reset")
        support, factor = Client(), UserFactory.create(staff_groups=["support"])
        secret = with_totp(factor)
        sign_in(support, factor)
        support.post(reverse("mfa_authenticate"), {"code": code_for(secret)})
        page = support.get(f"/staff/notifications/message/{message.pk}/change/", follow=True)
        assert b"it holds a key to the account" in page.content
        assert b"/password/reset/key/" not in page.content


@pytest.mark.rule("S2")
class TestAnotherBootstrap:
    def test_is_refused_where_there_are_staff(self) -> None:
        UserFactory.create(staff_groups=["support"])
        with pytest.raises(CommandError, match="--another"):
            bootstrap()
        assert not User.objects.filter(email="root@example.org").exists()

    def test_is_made_where_it_is_asked_for_with_the_groups_that_are_named(self) -> None:
        UserFactory.create(staff_groups=["support"])
        call_command("bootstrap_staff", "root@example.org", "--another", "--group", "finance", "--group", "auditor")
        assert User.objects.get(email="root@example.org").staff_groups == ["finance", "auditor"]

    def test_is_not_stopped_by_accounts_that_are_not_staff(self) -> None:
        UserFactory.create()
        assert bootstrap()

    def test_needs_no_password_written_down(self) -> None:
        for source in Path(BASE_DIR, "platform", "accounts").rglob("*.py"):
            assert not re.search(r"password\s*=\s*[\"']", source.read_text()), source


def reset_link(client: Client, user: User) -> str:
    client.post(reverse("account_reset_password"), {"email": user.email})
    found: Any = re.search(r"http://[^/]+(/accounts/password/reset/key/\S+)", Message.objects.get(to=user.email).text)
    return str(found[1])
