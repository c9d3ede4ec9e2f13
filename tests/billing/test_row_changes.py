"""Which rows a piece of work writes: whatever way it writes them, and with nothing left of it."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from billing.models import InboundEvent
from billing.webhooks import row_changes
from billing.webhooks.row_changes import NotCounted, Written
from core.public_ids import uuid7
from organizations.models import Organization
from tests.admin_ext import making
from tests.factories.organizations import OrganizationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def marker() -> InboundEvent:
    return making.inbound_event()


def raw(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def told(written: Written) -> list[tuple[str, Any, list[tuple[str, Any, Any]]]]:
    kinds = {(False, True): "new", (True, True): "changed", (True, False): "deleted"}
    return [
        (kinds[one.before is not None, one.after is not None], one.model, one.fields() if one.before and one.after else [])
        for one in written.changes
    ]


class TestOf:
    def test_finds_new_changed_and_deleted_rows_and_leaves_none(self, marker: InboundEvent) -> None:
        kept, going = OrganizationFactory.create(name="Kept"), Organization.objects.create(name="Going", slug="going")

        def work() -> None:
            Organization.objects.create(name="Coming", slug="coming")
            Organization.objects.filter(pk=kept.pk).update(name="Renamed")
            Organization.objects.filter(pk=going.pk).delete()

        written = row_changes.of(work, marker=marker)
        assert sorted(told(written), key=str) == [
            ("changed", Organization, [("name", "Kept", "Renamed")]),
            ("deleted", Organization, []),
            ("new", Organization, []),
        ]
        (gone,) = (one for one in written.changes if one.after is None)
        assert (gone.before or {})["name"] == "Going"
        assert sorted(Organization.objects.values_list("name", flat=True)) == ["Going", "Kept"]

    def test_finds_what_raw_sql_writes_in_a_transaction_inside(self, marker: InboundEvent) -> None:
        organization = OrganizationFactory.create(name="Kept")
        table = Organization._meta.db_table
        written = row_changes.of(lambda: raw(f"UPDATE {table} SET name = 'Raw' WHERE id = %s", organization.pk), marker=marker)
        assert told(written) == [("changed", Organization, [("name", "Kept", "Raw")])]

    def test_does_not_take_a_lock_for_a_change_nor_a_deletion(self, marker: InboundEvent) -> None:
        locked, going = OrganizationFactory.create(), Organization.objects.create(name="Going", slug="going")

        def work() -> None:
            list(Organization.objects.select_for_update().filter(pk=locked.pk))
            Organization.objects.filter(pk=going.pk).delete()

        assert [one.key for one in row_changes.of(work, marker=marker).changes] == [going.pk]

    def test_finds_new_rows_whose_keys_were_made_long_ago(self, marker: InboundEvent) -> None:
        old, new = UUID(int=7), uuid7()

        def work() -> None:
            for key in (old, new):
                Organization.objects.create(pk=key, name="Coming", slug=f"coming-{key}")

        assert {one.key for one in row_changes.of(work, marker=marker).changes} == {old, new}

    def test_tells_nothing_of_what_comes_to_the_same(self, marker: InboundEvent) -> None:
        organization = OrganizationFactory.create()

        def work() -> None:
            organization.save()
            Organization.objects.create(name="Coming", slug="coming").delete()

        assert row_changes.of(work, marker=marker) == Written()

    def test_tells_what_was_there_before_it_apart(self, marker: InboundEvent) -> None:
        """Rows that the surrounding transaction has written already are no part of it."""
        OrganizationFactory.create()
        assert row_changes.of(lambda: None, marker=marker) == Written()

    def test_needs_postgresql_to_count(self, marker: InboundEvent) -> None:
        raw("SET LOCAL track_counts = off")
        with pytest.raises(NotCounted, match="track_counts"):
            row_changes.of(lambda: None, marker=marker)
        raw("SET LOCAL track_counts = on")
