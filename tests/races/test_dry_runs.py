"""A dry run while others work: it waits for nobody for long, nobody sees anything of it, and it tells nothing that others did."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from audit.actor import StaffGroup
from billing.models import InboundEvent
from billing.webhooks import handlers
from billing.webhooks.dry_run import Outcome, RowsInUse, dry_run
from organizations.models import Organization
from tests.admin_ext import making
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.gap("6.2")]
type Race = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def event() -> InboundEvent:
    return making.inbound_event(dead=True)


class TestDryRun:
    @pytest.mark.parametrize("held_row", ["the handler's", "the event"])
    def test_gives_up_soon_where_somebody_holds_the_row(
        self, event: InboundEvent, race: Race, monkeypatch: pytest.MonkeyPatch, held_row: str
    ) -> None:
        organization, by = OrganizationFactory.create(name="Kept"), staff(StaffGroup.FINANCE)
        rename = Organization.objects.filter(pk=organization.pk)
        monkeypatch.setitem(handlers.HANDLERS, event.type, lambda found: rename.update(name="Renamed"))
        held, done = threading.Event(), threading.Event()

        def work(number: int) -> Any:
            if number == 0:
                with transaction.atomic():
                    rows = InboundEvent.objects.filter(pk=event.pk) if held_row == "the event" else Organization.objects.all()
                    assert list(rows.select_for_update())
                    held.set()
                    assert done.wait(timeout=30)
                return None
            assert held.wait(timeout=30)
            try:
                return dry_run(event_id=event.pk, by=by)
            finally:
                done.set()

        refused = race(2, work)[1]
        assert isinstance(refused, RowsInUse)
        assert dry_run(event_id=event.pk, by=by).outcome == Outcome.CHANGES
        assert Organization.objects.get(pk=organization.pk).name == "Kept"

    def test_tells_nothing_of_what_others_commit_meanwhile(self, event: InboundEvent, race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
        mine, theirs = OrganizationFactory.create(name="Mine"), OrganizationFactory.create(name="Theirs")
        by, inside, committed = staff(StaffGroup.FINANCE), threading.Event(), threading.Event()

        def handler(found: dict[str, Any]) -> None:
            Organization.objects.filter(pk=mine.pk).update(name="Changed")
            inside.set()
            assert committed.wait(timeout=30)

        monkeypatch.setitem(handlers.HANDLERS, event.type, handler)

        def work(number: int) -> Any:
            if number == 1:
                return dry_run(event_id=event.pk, by=by)
            assert inside.wait(timeout=30)
            seen = Organization.objects.get(pk=mine.pk).name
            Organization.objects.filter(pk=theirs.pk).update(name="Theirs, later")
            OrganizationFactory.create(name="Another")
            committed.set()
            return seen

        seen, run = race(2, work)
        assert seen == "Mine"
        assert [(one.key, one.fields()) for one in run.changes] == [(mine.pk, [("name", "Mine", "Changed")])]
