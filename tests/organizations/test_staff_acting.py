"""Support in an organization's place: how long, what for, what is kept, and what stays closed."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import User
from audit.actor import StaffGroup
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused, StepUpRequired
from organizations import staff_acting
from organizations.acting import acting_for
from organizations.models import ActingGrant, Membership
from organizations.permissions import RULES, Permission, allows
from tests.admin_ext import making
from tests.admin_ext.conftest import sign_in
from tests.factories.people import Personas, UserFactory, actor, personas, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Personas:
    return personas()


@pytest.fixture
def sol() -> User:
    return making.user("sol", groups=("support",))


@pytest.fixture
def grant(people: Personas, sol: User) -> ActingGrant:
    return staff_acting.begin(organization_id=people.organization.pk, reason="Ticket 1", by=actor(sol))


class TestBegin:
    def test_lasts_a_while_and_says_why(self, people: Personas, grant: ActingGrant) -> None:
        assert timedelta(minutes=29) < grant.expires_at - timezone.now() <= timedelta(minutes=30)
        entry = AuditEntry.objects.get(action="acting.begun")
        assert (entry.organization_id, entry.reason) == (people.organization.pk, "Ticket 1")

    def test_is_supports_with_a_fresh_factor(self, people: Personas, sol: User) -> None:
        refusals = {
            people.as_alice: PermissionRefused,
            people.as_charlie: NotFound,
            staff(StaffGroup.FINANCE): PermissionRefused,
            staff(StaffGroup.AUDITOR): PermissionRefused,
            actor(sol, stepped_up=False): StepUpRequired,
        }
        for by, refusal in refusals.items():
            with pytest.raises(refusal):
                staff_acting.begin(organization_id=people.organization.pk, reason="x", by=by)
        assert not ActingGrant.objects.exists()

    @pytest.mark.parametrize(("values", "field"), [({"reason": " "}, "reason"), ({"minutes": 61}, "minutes"), ({"minutes": 0}, "minutes")])
    def test_refuses_no_reason_and_no_such_time(self, people: Personas, sol: User, values: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            staff_acting.begin(**{"organization_id": people.organization.pk, "reason": "x", "by": actor(sol), **values})
        assert refused.value.field == field

    def test_ends_the_earlier_one(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        again = staff_acting.begin(organization_id=people.elsewhere.pk, reason="Ticket 2", by=actor(sol))
        assert staff_acting.of(sol) == again
        assert ActingGrant.objects.get(pk=grant.pk).ended_at is not None


class TestConsole:
    def test_shows_the_organization_alone_under_a_banner(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        making.event(people.organization, people.alice, "Ours")
        making.event(people.elsewhere, people.charlie, "Theirs")
        shown = sign_in(sol).get("/console/events/event/").content.decode()
        assert "Ours" in shown
        assert "Theirs" not in shown
        assert "You act in the place of Ågård Institute" in shown
        assert "Ticket 1" in shown

    def test_keeps_every_request(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        client = sign_in(sol)
        client.get("/console/events/event/?q=x")
        client.post("/console/billing/payment/export.csv")
        kept = AuditEntry.objects.filter(action="acting.request").order_by("pk")
        assert [entry.after for entry in kept] == [
            {"method": "GET", "path": "/console/events/event/?q=x"},
            {"method": "POST", "path": "/console/billing/payment/export.csv"},
        ]
        assert {(entry.acting_for, entry.user_id) for entry in kept} == {(people.organization.pk, sol.pk)}

    def test_edits_as_an_admin_and_is_named_in_the_log(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        event = making.event(people.organization, people.alice, published=False)
        client, url = sign_in(sol), f"/console/events/event/{event.public_id}/"
        token = client.get(f"{url}add-session/").context["form"].token
        starts = (event.starts_at + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
        ends = event.ends_at.strftime("%Y-%m-%dT%H:%M")
        client.post(f"{url}add-session/", {"token": token, "title": "Two", "starts_at": starts, "ends_at": ends})
        entry = AuditEntry.objects.exclude(action__startswith="acting").latest("id")
        assert (entry.user_id, entry.acting_for) == (sol.pk, people.organization.pk)

    @pytest.mark.parametrize("end", ["time", "button", "group", "organization"])
    def test_closes_at_the_next_request(self, people: Personas, sol: User, grant: ActingGrant, end: str) -> None:
        client = sign_in(sol)
        assert client.get("/console/").status_code == 200
        later = timedelta()
        if end == "time":
            later = timedelta(minutes=30, seconds=1)
        elif end == "button":
            assert client.post("/console/acting/end/")["Location"] == "/staff/"
        elif end == "group":
            User.objects.filter(pk=sol.pk).update(staff_groups=["auditor"])
        else:
            type(people.organization).objects.filter(pk=people.organization.pk).update(is_active=False)
        with time_machine.travel(timezone.now() + later):
            assert client.get("/console/", follow=True).status_code == 403

    def test_asks_for_the_second_factor_of_this_sign_in(self, sol: User, grant: ActingGrant) -> None:
        answer = sign_in(sol, factor=False).get("/console/")
        assert answer.status_code == 302
        assert not AuditEntry.objects.filter(action="acting.request").exists()

    def test_is_seen_by_the_organizations_admins(self, people: Personas, grant: ActingGrant) -> None:
        assert "Ticket 1" in sign_in(people.alice).get("/console/organizations/actinggrant/").content.decode()
        assert sign_in(people.bob).get("/console/organizations/actinggrant/").status_code == 403
        assert "Ticket 1" not in sign_in(people.charlie).get("/console/organizations/actinggrant/").content.decode()


class TestPermissions:
    @pytest.mark.parametrize("permission", list(Permission))
    def test_are_an_admins_without_money_roles_and_exports(
        self, people: Personas, sol: User, grant: ActingGrant, permission: Permission
    ) -> None:
        by = acting_for(sol, grant, second_factor_at=timezone.now())
        admins = allows(people.as_alice, permission, people.organization.pk)
        closed = RULES[permission].step_up or permission in (Permission.CONNECT_MANAGE, Permission.SUBSCRIPTION_MANAGE)
        assert allows(by, permission, people.organization.pk) is (admins and not closed)
        assert allows(by, permission) is (admins and not closed)
        assert allows(by, permission, people.elsewhere.pk) is False

    def test_never_decide_about_money(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        by = acting_for(sol, grant, second_factor_at=timezone.now())
        money = ("payment.refund", "refund.approve", "dispute.answer", "payout.request", "payout.approve", "connect.manage", "fee.edit")
        money += ("subscription.manage", "trial.extend", "quota.override")
        money += ("organization.close", "admin.offer", "admin.grant", "member.manage", "instructor.manage", "list.export")
        assert [name for name in money if allows(by, Permission(name), people.organization.pk)] == []

    def test_end_with_the_grant_even_in_a_request_that_had_begun(self, people: Personas, sol: User, grant: ActingGrant) -> None:
        by = acting_for(sol, grant, second_factor_at=timezone.now())
        staff_acting.end(grant_id=grant.pk, by=by)
        assert not allows(by, Permission.EVENT_MANAGE, people.organization.pk)
        with pytest.raises(staff_acting.ActingEnded):
            staff_acting.end(grant_id=grant.pk, by=actor(sol))

    def test_are_ended_by_support_and_not_by_others(self, people: Personas, grant: ActingGrant) -> None:
        for by, refusal in ((people.as_alice, PermissionRefused), (people.as_bob, NotFound), (actor(UserFactory()), NotFound)):
            with pytest.raises(refusal):
                staff_acting.end(grant_id=grant.pk, by=by)
        assert staff_acting.end(grant_id=grant.pk, by=staff(StaffGroup.SUPPORT)).ended_at is not None


def test_a_member_of_support_who_acts_for_nobody_uses_the_console_as_ever(people: Personas, sol: User) -> None:
    Membership.objects.create(organization=people.elsewhere, user=sol, role="organizer")
    shown = sign_in(sol).get("/console/")
    assert shown.status_code == 200
    assert "You act in the place" not in shown.content.decode()
    assert not AuditEntry.objects.filter(action="acting.request").exists()
