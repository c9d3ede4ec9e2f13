"""What the terms that were frozen at purchase give back, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import refund_terms
from billing.models import Payment

START = datetime(2026, 6, 15, 9, tzinfo=UTC)


def payment(**values: object) -> Payment:
    return Payment(**{"amount": 9999, "currency": "USD", "service_starts_at": START, "refund_terms": refund_terms.DEFAULT_TERMS, **values})


class TestPercentAt:
    @pytest.mark.parametrize(
        ("before", "percent"),
        [
            (timedelta(days=30), 100),
            (timedelta(days=7), 100),
            (timedelta(days=7) - timedelta(seconds=1), 50),
            (timedelta(hours=48), 50),
            (timedelta(hours=48) - timedelta(seconds=1), 0),
            (timedelta(), 0),
            (-timedelta(days=1), 0),
        ],
    )
    def test_is_the_best_tier_whose_time_has_not_passed(self, before: timedelta, percent: int) -> None:
        assert refund_terms.percent_at(payment(), START - before) == percent

    def test_gives_all_where_nothing_begins(self) -> None:
        assert refund_terms.percent_at(payment(service_starts_at=None, refund_terms=[]), START) == 100

    def test_gives_nothing_without_tiers(self) -> None:
        assert refund_terms.percent_at(payment(refund_terms=[]), START - timedelta(days=99)) == 0


class TestAmountAt:
    def test_rounds_half_up_in_the_currencys_steps(self) -> None:
        assert refund_terms.amount_at(payment(), START - timedelta(days=3)) == 5000  # 4999.5
        assert refund_terms.amount_at(payment(amount=10_010, currency="KWD"), START - timedelta(days=3)) == 5010
        assert refund_terms.amount_at(payment(amount=10_100, currency="ISK"), START - timedelta(days=3)) == 5100

    @pytest.mark.parametrize(
        ("policy", "fee", "days", "amount"),
        [
            ("attendee", 175, 30, 9824),
            ("attendee", None, 30, 9999),
            ("attendee", 175, 3, 5000),
            ("attendee", 20_000, 30, 0),
            ("platform", 175, 30, 9999),
            ("organizer", 175, 30, 9999),
        ],
    )
    def test_keeps_stripes_fee_where_the_attendee_bears_it(self, policy: str, fee: int | None, days: int, amount: int) -> None:
        assert refund_terms.amount_at(payment(refund_fee_policy=policy, stripe_fee=fee), START - timedelta(days=days)) == amount


class TestValid:
    @pytest.mark.parametrize("terms", [[], refund_terms.DEFAULT_TERMS, [{"hours_before": 0, "percent": 1}]])
    def test_takes_tiers_that_give_less_later(self, terms: object) -> None:
        assert refund_terms.valid(terms)

    @pytest.mark.parametrize(
        "terms",
        [
            None,
            {},
            "100",
            [5],
            [{"hours_before": 1}],
            [{"hours_before": 1, "percent": 1, "more": 1}],
            [{"hours_before": -1, "percent": 50}],
            [{"hours_before": 1.5, "percent": 50}],
            [{"hours_before": True, "percent": 50}],
            [{"hours_before": 1, "percent": 0}],
            [{"hours_before": 1, "percent": 101}],
            [{"hours_before": 1, "percent": 50}, {"hours_before": 2, "percent": 40}],
            [{"hours_before": 2, "percent": 50}, {"hours_before": 1, "percent": 50}],
        ],
    )
    def test_refuses_anything_else(self, terms: object) -> None:
        assert not refund_terms.valid(terms)


class TestSentence:
    def test_says_the_tiers(self) -> None:
        assert refund_terms.sentence(refund_terms.DEFAULT_TERMS) == (
            "Refund of 100 % until 7 days before the start, 50 % until 2 days before the start; none after that."
        )
        tiers = [{"hours_before": 24, "percent": 100}, {"hours_before": 5, "percent": 30}, {"hours_before": 1, "percent": 5}]
        assert refund_terms.sentence(tiers) == (
            "Refund of 100 % until 1 day before the start, 30 % until 5 hours before the start, 5 % until 1 hour before the start;"
            " none after that."
        )
        assert refund_terms.sentence([{"hours_before": 0, "percent": 10}]) == (
            "Refund of 10 % until 0 hours before the start; none after that."
        )
        assert refund_terms.sentence([]) == "No refunds."
