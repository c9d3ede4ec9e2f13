"""Stripe promises neither the order of its webhooks nor that each comes, once: whatever it does, we end up knowing the same."""

from typing import Any

import pytest
from django.db import transaction

from billing import recovery
from billing.models import InboundEvent, TransferReversal
from organizations.models import Organization
from tests.billing.bank import Bank
from tests.billing.money_tables import fingerprint, money_tables
from tests.billing.recorded_day import Day, Telling
from tests.billing.trading import UNITS, Clock, assert_books_are_stripes, assert_books_whole
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("6.1"), pytest.mark.gap("6.2"), pytest.mark.gap("9.2"), pytest.mark.rule("M8")]


def told(day: Day, *, seed: int) -> dict[str, list[str]]:
    """What the tables say once the day is told in that way; on return both sides are as they were in the morning."""
    clock, block = day.again(), transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # the test's own, so that outside calls are let through
    try:
        with block:
            Telling(day, seed=seed).tell()
            assert_books_whole()
            assert_books_are_stripes()
            assert_nothing_left_to_fetch_back()
            assert not InboundEvent.objects.exclude(state__in=["processed", "ignored"]).exists()
            found = money_tables()
            transaction.set_rollback(True)
    finally:
        clock.stop()
    return found


def assert_nothing_left_to_fetch_back() -> None:
    """Connected accounts hold no more than is still earned, however much was fetched back on the way here."""
    for organization in Organization.objects.all():
        for currency in UNITS:
            assert recovery.excess(organization.pk, currency) <= 0
    assert not TransferReversal.objects.exclude(state=TransferReversal.State.SUCCEEDED).exists()


class TestAnyOrder:
    @pytest.mark.parametrize("recording", range(SIZES.recorded_days))
    def test_of_a_days_events_leaves_the_same_tables(self, bank: Bank, settings: Any, recording: int) -> None:
        clock = Clock()
        try:
            day = Day(bank, clock, events=SIZES.day_events, seed=recording)
            before = money_tables()
            first = told(day, seed=0)
            assert fingerprint(money_tables()) == fingerprint(before) != fingerprint(first), "each telling begins in the morning"
            for seed in range(1, SIZES.tellings):
                again = told(day, seed=seed)
                assert again == first, f"telling {seed} ended differently"
                assert fingerprint(again) == fingerprint(first)
        finally:
            clock.stop()
