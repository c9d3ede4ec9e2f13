"""Inviting and managing people in the consoles: dialogs, files with a preview, many at once."""

import re
from io import BytesIO
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from admin_ext.console import bulk_runs
from admin_ext.models import BulkItem, BulkRun
from organizations import invitation_files
from organizations.models import Invitation, InvitationLine, Membership
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.draining import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(people: People) -> Client:
    return sign_in(people.alice)


def page(people: People) -> str:
    return f"/console/organizations/organization/{people.north.public_id}"


def press(client: Client, url: str, **typed: Any) -> Any:
    """Open the dialog, submit it, follow to the page it leads to."""
    token = client.get(url).context["form"].token
    return client.post(url, {"token": token, **typed}, follow=True)


@pytest.mark.gap("3.2")
class TestInviteDialog:
    def test_says_what_each_role_means_and_invites(self, people: People, alice: Client) -> None:
        shown = alice.get(f"{page(people)}/invite/").content.decode()
        assert "create and run events" in shown
        assert "no seat" in shown

        answer = press(alice, f"{page(people)}/invite/", email="ada@example.org", role="organizer")
        assert Invitation.objects.get().public_id in answer.request["PATH_INFO"]
        assert "on its way" in answer.content.decode()

    def test_keeps_what_was_typed_and_says_what_is_wrong(self, people: People, alice: Client) -> None:
        bad = press(alice, f"{page(people)}/invite/", email="ada@", role="organizer").content.decode()
        assert "valid email" in bad
        assert 'value="ada@"' in bad
        assert (
            "works for the organization already"
            in press(alice, f"{page(people)}/invite/", email=people.bob.email, role="organizer").content.decode()
        )
        assert not Invitation.objects.exists()

    def test_offers_a_course_manager_the_role_that_they_may_give(self, people: People) -> None:
        manager = making.user("mara")
        making.member(people.north, manager, "course_manager")
        dialog = sign_in(manager).get(f"{page(people)}/invite/")
        assert [value for value, _ in dialog.context["form"].fields["role"].choices] == ["instructor"]

    def test_is_led_to_from_the_lists_by_those_who_may(self, people: People, alice: Client) -> None:
        for what in ("membership", "invitation"):
            assert f"{page(people)}/invite/" in alice.get(f"/console/organizations/{what}/").content.decode()
        assert "invite/" not in sign_in(people.bob).get("/console/organizations/membership/").content.decode()
        assert sign_in(people.bob).get("/console/organizations/invitation/").status_code == 403


def file(text: str | bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", text if isinstance(text, bytes) else text.encode(), "text/csv")


class TestFile:
    LINES = (
        "Email;Role\r\n"
        "ada@example.org;organizer\r\n"
        "\r\n"
        "not an address;organizer\r\n"
        "ben@example.org;chief\r\n"
        "ADA@example.org;admin\r\n"
        "bob@example.org;instructor\r\n"
        "=cmd|' /C calc'!A0@example.org;Course Manager\r\n"
        "cleo@example.org;Course Manager\r\n"
    )

    def test_is_previewed_line_by_line_and_invites_after_the_confirmation(self, people: People, alice: Client) -> None:
        answer = press(alice, f"{page(people)}/invite-file/", upload=file("\ufeff" + self.LINES))
        run = BulkRun.objects.get()
        assert run.public_id in answer.request["PATH_INFO"]
        drain()
        assert not Invitation.objects.exists()

        shown = alice.get(answer.request["PATH_INFO"]).content.decode()
        for said in (
            "Invite as Organizer",
            "Give an email address",
            "Choose a role",
            "line 2 already",
            "works for the organization already",
        ):
            assert said in shown, said
        alice.post(f"/console/admin_ext/bulkrun/{run.public_id}/confirm/")
        drain()

        assert set(Invitation.objects.values_list("email", "role")) == {
            ("ada@example.org", "organizer"),
            ("cleo@example.org", "course_manager"),
        }
        states = [item.state for item in run.items.order_by("position")]
        assert states == ["done", "refused", "refused", "refused", "refused", "refused", "done"]

    def test_preview_refuses_those_above_the_days_limit(self, people: People, alice: Client, settings: Any) -> None:
        settings.INVITATIONS_A_DAY = 2
        making.invitation(people.north, people.alice, "early@example.org")
        press(alice, f"{page(people)}/invite-file/", upload=file("email,role\r\na@example.org,organizer\r\nb@example.org,organizer\r\n"))
        drain()
        rows = list(BulkRun.objects.get().items.order_by("position").values_list("state", "message"))
        assert [state for state, _ in rows] == ["planned", "refused"]
        assert "go on tomorrow" in rows[1][1]

    def test_result_holds_no_formula(self, people: People, alice: Client) -> None:
        press(alice, f"{page(people)}/invite-file/", upload=file("email,role\n=1+1,organizer\n"))
        drain()
        answer = alice.get(f"/console/admin_ext/bulkrun/{BulkRun.objects.get().public_id}/result.csv")
        lines = b"".join(answer.streaming_content).decode()
        assert "=1+1" in lines
        assert not re.search(r'(^|[,"])=', lines, re.MULTILINE)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "must name the columns"),
            (b"name,function\nAda,boss\n", "must name the columns"),
            (b"email,role\n", "names nobody"),
            (b"email,role\n\xff\xfe,organizer\n", "UTF-8"),
            (b"PK\x03\x04\x00\x00email,role\n", "no CSV file"),
            (b"email,role\n" + b"a@example.org,organizer\n" * 1_001, "at most 1,000"),
            (b"email,role\n" + b"x" * invitation_files.LARGEST_FILE, "larger than 256 KB"),
        ],
    )
    def test_that_is_none_is_refused_whole(self, people: People, alice: Client, content: bytes, says: str) -> None:
        answer = press(alice, f"{page(people)}/invite-file/", upload=file(content))
        assert says in answer.content.decode() or (not content and "empty" in answer.content.decode())
        assert not InvitationLine.objects.exists()
        assert not BulkRun.objects.exists()

    def test_has_a_sample_that_works(self, people: People, alice: Client) -> None:
        sample = alice.get("/console/organizations/invitation/sample.csv").content
        press(alice, f"{page(people)}/invite-file/", upload=BytesIO(sample))
        drain()
        assert set(BulkItem.objects.values_list("state", flat=True)) == {"planned"}

    def test_is_forgotten_after_some_days(self, people: People, alice: Client, time_machine_at: Any) -> None:
        press(alice, f"{page(people)}/invite-file/", upload=file(self.LINES))
        invitation_files.purge()
        assert InvitationLine.objects.exists()
        with time_machine_at(days=8):
            invitation_files.purge()
        assert not InvitationLine.objects.exists()


def together(client: Client, what: str, action: str, rows: list[Any], **values: str) -> BulkRun:
    """Select, describe, preview and confirm."""
    client.post(f"/console/organizations/{what}/", {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    run = BulkRun.objects.latest("id")
    if values:
        client.post(f"/console/admin_ext/bulkrun/{run.public_id}/describe/", values)
    drain()
    client.post(f"/console/admin_ext/bulkrun/{run.public_id}/confirm/")
    drain()
    return BulkRun.objects.get(pk=run.pk)


def results(run: BulkRun) -> dict[str, str]:
    return {item.label: f"{item.state}: {item.message}" for item in run.items.all()}


class TestManyAtOnce:
    def test_invitations_are_sent_again_and_revoked(self, people: People, alice: Client) -> None:
        open_one, other = (making.invitation(people.north, people.alice, f"{name}@example.org") for name in ("ada", "ben"))
        assert set(results(together(alice, "invitation", "invitation_resend", [open_one, other])).values()) == {"done: Sent again"}
        assert set(Invitation.objects.values_list("number", flat=True)) == {2}

        together(alice, "invitation", "invitation_revoke", [other])
        found = results(together(alice, "invitation", "invitation_revoke", [open_one, other]))
        assert found["ada@example.org"] == "done: Withdrawn"
        assert "refused: This invitation was withdrawn" in found["ben@example.org"]

    @pytest.mark.gap("7.1")
    def test_roles_are_changed_where_that_works(self, people: People, alice: Client) -> None:
        mara = making.member(people.north, making.user("mara"), "instructor")
        rows = [mara, *Membership.objects.filter(user__in=[people.alice, people.bob])]
        found = results(together(alice, "membership", "membership_change_role", rows, role="organizer"))

        assert found["Mara · Instructor"] == "done: Organizer now"
        assert "has that role already" in found["Bob · Organizer"]
        assert "needs an admin" in found["Alice · Admin"]
        assert Membership.objects.get(pk=mara.pk).role == "organizer"

    @pytest.mark.gap("7.2")
    def test_members_are_removed_with_one_successor(self, people: People, alice: Client) -> None:
        event = making.event(people.north, people.bob)
        bob, idle = Membership.objects.get(user=people.bob), making.member(people.north, making.user("ida"), "instructor")
        found = results(together(alice, "membership", "membership_remove", [bob, idle], successor="", reason="Merged"))
        assert "answers for 1 event" in found["Bob · Organizer"]
        assert found["Ida · Instructor"] == "done: Removed"

        found = results(together(alice, "membership", "membership_remove", [bob], successor="nobody@example.org", reason=""))
        assert "Name another admin" in found["Bob · Organizer"]
        together(alice, "membership", "membership_remove", [bob], successor=people.alice.email, reason="Merged")
        assert Membership.objects.get(pk=bob.pk).ended_at is not None
        assert type(event).objects.get(pk=event.pk).host == people.alice

    @pytest.mark.parametrize("action", ["membership_remove", "membership_change_role"])
    def test_two_last_admins_are_not_both_taken(self, people: People, alice: Client, action: str) -> None:
        """The preview refuses the one too many, though each alone could go; more than one batch makes no difference."""
        Membership.objects.filter(user=people.bob).update(role="admin")
        both = list(Membership.objects.filter(organization=people.north))
        values = {"membership_remove": {"successor": "", "reason": ""}, "membership_change_role": {"role": "organizer"}}
        with mock.patch.object(bulk_runs, "BATCH", 1):
            run = together(alice, "membership", action, both, **values[action])

        found = list(run.items.values_list("state", "message"))
        assert sorted(state for state, _ in found) == ["done", "refused"]
        assert any("needs an admin" in message for _, message in found)
        assert Membership.objects.filter(organization=people.north, role="admin", ended_at=None).count() == 1

    def test_belongs_to_admins(self, people: People) -> None:
        row = Membership.objects.get(user=people.bob)
        sign_in(people.bob).post("/console/organizations/membership/", {"action": "membership_remove", "_selected_action": [str(row.pk)]})
        assert not BulkRun.objects.exists()


class TestRemoveDialog:
    def test_names_what_they_host_and_who_can_take_over(self, people: People, alice: Client) -> None:
        making.event(people.north, people.bob)
        url = f"/console/organizations/membership/{Membership.objects.get(user=people.bob).public_id}/remove/"
        assert "1 event" in alice.get(url).content.decode()
        assert "name a member who takes over" in press(alice, url, successor="", reason="").content.decode()
        press(alice, url, successor=str(people.alice.pk), reason="Left")
        assert Membership.objects.get(user=people.bob).ended_at is not None

    def test_offers_nobody_of_another_organization(self, people: People, alice: Client) -> None:
        url = f"/console/organizations/membership/{Membership.objects.get(user=people.bob).public_id}/remove/"
        assert people.charlie.email not in alice.get(url).content.decode()
        press(alice, url, successor=str(people.charlie.pk), reason="")
        assert Membership.objects.get(user=people.bob).ended_at is None


def test_every_kind_is_planned_with_a_bounded_number_of_queries(people: People, django_assert_max_num_queries: Any) -> None:
    """Of members: what is hosted and whether an admin remains is asked for each row, its plan is written at once; nothing else grows."""
    by = making.actor(people.alice, organization=people.north)
    for number in range(5):
        making.member(people.north, making.user(f"m{number}"), "instructor")
    rows = Membership.objects.filter(organization=people.north, role="instructor")
    run = bulk_runs.freeze(kind="membership.remove", rows=rows, as_staff=False, by=by)
    bulk_runs.describe(run_id=run.pk, values={"successor": "", "reason": ""}, by=by)
    with django_assert_max_num_queries(36):
        bulk_runs.plan(run_id=run.pk)
