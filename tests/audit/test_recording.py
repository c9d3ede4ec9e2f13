"""The audit log: one entry an operation, in its transaction, for ever."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from audit.recording import record
from core.models import Job

SOMEBODY = Actor(label="user:usr_alice", user_id=uuid4(), acting_for=uuid4(), token_id=uuid4(), request_id="req_1", ip="192.0.2.7")
REFUSED = "append-only|Cannot update or delete rows"


@pytest.mark.gap("9.4")
@pytest.mark.django_db
class TestRecord:
    def test_keeps_who_did_what_to_which_object(self) -> None:
        job, organization = Job.objects.create(name="tests.audited"), uuid4()
        entry = record(job, "job.retried", by=SOMEBODY, organization_id=organization, reason="stuck")

        kept = AuditEntry.objects.get(pk=entry.pk)
        assert (kept.object_type, kept.object_id, kept.organization_id) == ("core.job", job.pk, organization)
        assert (kept.actor, kept.user_id, kept.acting_for, kept.token_id) == (
            SOMEBODY.label,
            SOMEBODY.user_id,
            SOMEBODY.acting_for,
            SOMEBODY.token_id,
        )
        assert (kept.action, kept.reason, kept.request_id, kept.ip) == ("job.retried", "stuck", "req_1", "192.0.2.7")
        assert (kept.before, kept.after) == ({}, {})
        assert str(kept) == "job.retried"
        assert kept.public_id.startswith("aud_")

    def test_keeps_values_that_json_does_not_know(self) -> None:
        key = UUID(int=7)
        after = {
            "state": Job.State.DONE,
            "group": StaffGroup.FINANCE,
            "key": key,
            "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
            "on": date(2026, 3, 1),
            "many": (key, {1: {"deep": Job.State.DEAD}}),
            "set": frozenset({3}),
            "amount": 5000,
            "none": None,
        }
        entry = record(Job.objects.create(name="x"), "job.changed", by=Actor.system("tests"), before={"state": "queued"}, after=after)

        kept = AuditEntry.objects.get(pk=entry.pk)
        assert kept.before == {"state": "queued"}
        assert kept.after == {
            "state": "done",
            "group": "finance",
            "key": str(key),
            "at": "2026-03-01 12:00:00+00:00",
            "on": "2026-03-01",
            "many": [str(key), {"1": {"deep": "dead"}}],
            "set": [3],
            "amount": 5000,
            "none": None,
        }
        assert (kept.user_id, kept.actor) == (None, "system:tests")

    def test_vanishes_with_the_operation(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            record(Job.objects.create(name="x"), "job.changed", by=SOMEBODY)
            raise RuntimeError
        assert not AuditEntry.objects.exists()


@pytest.mark.gap("9.4")
@pytest.mark.django_db
class TestAppendOnly:
    @pytest.mark.parametrize(
        "statement", ["UPDATE audit_auditentry SET reason = 'x'", "DELETE FROM audit_auditentry", "TRUNCATE audit_auditentry"]
    )
    def test_refuses_every_change(self, statement: str) -> None:
        record(Job.objects.create(name="x"), "job.changed", by=SOMEBODY)

        with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert AuditEntry.objects.filter(reason="").count() == 1

    def test_refuses_the_orm_too(self) -> None:
        entry = record(Job.objects.create(name="x"), "job.changed", by=SOMEBODY)
        for change in (lambda: entry.save(), lambda: entry.delete(), lambda: AuditEntry.objects.update(actor="nobody")):
            with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
                change()
        assert AuditEntry.objects.get(pk=entry.pk).actor == SOMEBODY.label


@pytest.mark.django_db
class TestVisibleTo:
    def test_shows_an_organizations_people_their_own_and_staff_all(self) -> None:
        ours, theirs = uuid4(), uuid4()
        job = Job.objects.create(name="x")
        for organization in (ours, theirs, None):
            record(job, "job.changed", by=SOMEBODY, organization_id=organization)

        member = Actor(label="user:usr_bob", user_id=uuid4(), organization_ids=frozenset({ours}))
        staff = Actor(label="user:usr_sam", user_id=uuid4(), staff_groups=frozenset({StaffGroup.AUDITOR}))
        assert [entry.organization_id for entry in AuditEntry.objects.visible_to(member)] == [ours]
        assert AuditEntry.objects.visible_to(staff).count() == 3
        assert AuditEntry.objects.visible_to(Actor.anonymous()).count() == 0

    def test_lists_an_objects_history_newest_first(self) -> None:
        job, other = Job.objects.create(name="x"), Job.objects.create(name="y")
        entries = [record(job, f"job.{word}", by=SOMEBODY) for word in ("made", "changed")]
        record(other, "job.made", by=SOMEBODY)
        assert list(AuditEntry.objects.all().about(job)) == entries[::-1]


class TestActor:
    def test_knows_who_sees_everything(self) -> None:
        staff = Actor(label="user:usr_sam", staff_groups=frozenset({StaffGroup.SUPPORT}))
        guest = Actor.guest(UUID(int=1), request_id="req_2", ip="192.0.2.9")

        assert (Actor.system("x").is_system, Actor.system("x").is_staff, Actor.system("x").sees_all) == (True, False, True)
        assert (staff.is_system, staff.is_staff, staff.sees_all) == (False, True, True)
        assert (guest.sees_all, guest.guest_of, guest.request_id, guest.ip) == (False, UUID(int=1), "req_2", "192.0.2.9")
        assert (Actor.anonymous().sees_all, Actor.anonymous().user_id) == (False, None)
