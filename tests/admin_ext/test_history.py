"""The timeline of an object: its own entries and those of its parts, and never a word about anybody else's."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext.console import history
from admin_ext.sites import staff_site
from audit.models import AuditEntry
from audit.recording import record
from billing.models import Payment
from core.public_ids import uuid7
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in
from tests.factories.billing import finance, requested_refund
from tests.factories.events import DraftEventFactory, SessionFactory
from tests.factories.registrations import paid

pytestmark = pytest.mark.django_db


class TestTimeline:
    def test_of_a_payment_tells_of_its_refunds_and_its_place(self, people: People) -> None:
        place = paid()
        refund = requested_refund(place.payment, 100)
        shown = sign_in(people.finance).get(f"/staff/billing/payment/{place.payment.public_id}/change/").content.decode()
        timeline = shown[shown.index('aria-label="Timeline"') :]
        assert "Refund requested" in timeline
        assert f'href="/staff/billing/refund/{refund.public_id}/change/"' in timeline
        assert f'href="/staff/registrations/registration/{place.public_id}/change/"' in timeline
        assert f'href="/staff/billing/payment/{place.payment.public_id}/change/"' not in timeline  # its own entries need no link

    def test_of_a_place_tells_what_happened_to_its_money(self, people: People) -> None:
        place = paid()
        refund = requested_refund(place.payment, 100)
        shown = sign_in(people.finance).get(f"/staff/registrations/registration/{place.public_id}/history/").content.decode()
        assert f'href="/staff/billing/refund/{refund.public_id}/change/"' in shown
        assert f'href="/staff/billing/payment/{place.payment.public_id}/change/"' in shown

    def test_leaves_out_other_objects_and_their_parts(self, people: People) -> None:
        one, other = paid(), paid()
        refund = requested_refund(other.payment, 100)
        shown = sign_in(people.finance).get(f"/staff/billing/payment/{one.payment.public_id}/change/").content.decode()
        assert refund.public_id not in shown

    def test_hides_from_organizers_what_the_platform_did_for_itself(self, people: People) -> None:
        payment = making.payment(people.north)
        record(payment, "payment.looked_at", by=finance(), organization_id=people.rival.pk)
        record(payment, "payment.noted", by=finance())
        shown = sign_in(people.alice).get(f"/console/billing/payment/{payment.public_id}/change/").content.decode()
        assert "Payment noted" in shown
        assert "Payment looked at" not in shown

    def test_costs_three_statements_whatever_it_tells(self, people: People) -> None:
        place, by = paid(), finance()
        requested_refund(place.payment, 100)
        for _ in range(3):
            record(place.payment, "payment.noted", by=by)
        with CaptureQueriesContext(connection) as captured:
            moments = history.timeline(staff_site._registry[Payment], by, place.payment, limit=12)
        assert [moment.what for moment in moments[:3]] == ["Payment noted"] * 3
        told = ["billing.payment", "billing.refund", "registrations.registration"]
        assert len(moments) == AuditEntry.objects.filter(object_type__in=told).count()
        assert len(captured) == 3

    def test_finds_its_entries_by_the_index_in_a_long_log(self, people: People) -> None:
        payment = making.payment(people.north)
        AuditEntry.objects.bulk_create(
            [AuditEntry(action="x.done", object_type="billing.payment", object_id=uuid7(), actor="system:test") for _ in range(5000)]
        )
        record(payment, "payment.noted", by=finance())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE audit_auditentry")
        with CaptureQueriesContext(connection) as captured:
            history.timeline(staff_site._registry[Payment], finance(), payment, limit=12)
            asked = next(one["sql"] for one in captured.captured_queries if 'FROM "audit_auditentry"' in one["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {asked}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "audit_object" in plan, plan

    def test_of_an_event_tells_of_its_sessions(self, people: People) -> None:
        event = DraftEventFactory(organization=people.north, host=people.alice)
        session = SessionFactory(event=event)
        record(session, "session.added", by=finance(), organization_id=people.north.pk)
        shown = sign_in(people.alice).get(f"/console/events/event/{event.public_id}/change/").content.decode()
        assert "Session added" in shown[shown.index('aria-label="Timeline"') :]
