"""Amounts: exponents, steps, rounding, and splitting to the last minor unit."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import (
    CURRENCIES,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    allocate,
    exponent,
    parse_major,
    percentage,
    round_half_up,
    step,
)
from tests.sizes import SIZES

EXAMPLES = settings(max_examples=SIZES.hypothesis_examples, deadline=None)
WEIGHTS = st.lists(st.integers(0, 10**8), min_size=1, max_size=8).filter(any)
STEPS = st.sampled_from([1, 10, 100])


class TestMoney:
    @pytest.mark.gap("9.2")
    @pytest.mark.parametrize(
        ("amount", "currency", "text"),
        [
            (5000, "USD", "50.00 USD"),
            (5000, "JPY", "5,000 JPY"),
            (5000, "KWD", "5.000 KWD"),
            (-150, "EUR", "-1.50 EUR"),
            (123_456_700, "ISK", "1,234,567.00 ISK"),
        ],
    )
    def test_is_shown_with_the_digits_of_its_currency(self, amount: int, currency: str, text: str) -> None:
        assert str(Money(amount, currency)) == text

    @pytest.mark.parametrize("currency", ["usd", "XXX", "", "USDD"])
    def test_refuses_what_is_no_currency(self, currency: str) -> None:
        with pytest.raises(UnknownCurrency):
            Money(1, currency)

    @pytest.mark.parametrize("amount", [1.0, True, "1", Decimal(1), None])
    def test_refuses_what_is_no_whole_number(self, amount: object) -> None:
        with pytest.raises(TypeError):
            Money(amount, "USD")  # type: ignore[arg-type]

    def test_adds_subtracts_and_compares_within_a_currency(self) -> None:
        five, two = Money(500, "USD"), Money(200, "USD")

        assert five + two == Money(700, "USD")
        assert two - five == Money(-300, "USD") == -Money(300, "USD")
        assert two < five
        assert two <= Money(200, "USD")
        assert not five <= two

    def test_never_combines_two_currencies(self) -> None:
        dollars, euros = Money(1, "USD"), Money(1, "EUR")
        for combine in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars <= euros):
            with pytest.raises(CurrencyMismatch):
                combine()
        assert dollars != euros


class TestExponentAndStep:
    @pytest.mark.gap("9.2")
    @pytest.mark.parametrize(
        ("currency", "digits", "smallest"), [("USD", 2, 1), ("JPY", 0, 1), ("KWD", 3, 10), ("TND", 3, 10), ("ISK", 2, 100), ("UGX", 0, 1)]
    )
    def test_are_stripes_not_isos(self, currency: str, digits: int, smallest: int) -> None:
        assert (exponent(currency), step(currency)) == (digits, smallest)

    def test_know_every_currency_once(self) -> None:
        digits = Counter(exponent(currency) for currency in CURRENCIES)
        assert digits == {0: 16, 2: 118, 3: 5}


class TestParseMajor:
    @pytest.mark.parametrize(
        ("text", "currency", "minor"),
        [
            (" 12.50 ", "USD", 1250),
            ("1,234", "JPY", 1234),
            ("1,234,567.50", "USD", 123_456_750),
            (".5", "EUR", 50),
            ("1.230", "KWD", 1230),
            ("-3", "EUR", -300),
            ("7", "ISK", 700),
            ("1e2", "USD", 10000),
        ],
    )
    def test_reads_what_a_person_typed(self, text: str, currency: str, minor: int) -> None:
        assert parse_major(text, currency) == minor

    @pytest.mark.parametrize(
        ("text", "currency"),
        [
            ("", "USD"),
            ("ten", "USD"),
            (".", "USD"),
            ("e2", "USD"),
            ("1,5", "EUR"),
            ("12,50", "EUR"),
            ("1234,567", "JPY"),
            ("1.234,50", "EUR"),
            ("1,23,456", "JPY"),
            (",123", "JPY"),
            ("1.005", "USD"),
            ("0.5", "JPY"),
            ("1.234", "KWD"),
            ("7.50", "ISK"),
            ("NaN", "USD"),
            ("Infinity", "USD"),
        ],
    )
    def test_refuses_what_is_no_amount_of_the_currency(self, text: str, currency: str) -> None:
        with pytest.raises(ValueError, match=r"number|amount"):
            parse_major(text, currency)

    @EXAMPLES
    @given(currency=st.sampled_from(sorted(CURRENCIES)), units=st.integers(-(10**10), 10**10))
    def test_reads_back_what_is_shown(self, currency: str, units: int) -> None:
        money = Money(units * step(currency), currency)
        assert parse_major(str(money).removesuffix(f" {currency}"), currency) == money.amount


class TestRoundHalfUp:
    @pytest.mark.gap("9.7")
    @pytest.mark.parametrize(
        ("value", "to", "rounded"),
        [
            (Fraction(1, 2), 1, 1),
            (Fraction(-1, 2), 1, -1),
            (Fraction(5, 2), 1, 3),  # a banker would say 2
            (Decimal("2.4999"), 1, 2),
            (5, 10, 10),
            (4, 10, 0),
            (-150, 100, -200),
            (0, 100, 0),
        ],
    )
    def test_takes_halves_away_from_zero(self, value: Fraction | Decimal | int, to: int, rounded: int) -> None:
        assert round_half_up(value, to) == rounded

    @pytest.mark.gap("9.7")
    @EXAMPLES
    @given(value=st.fractions(max_denominator=1000), to=STEPS)
    def test_is_symmetric_and_nearest(self, value: Fraction, to: int) -> None:
        rounded = round_half_up(value, to)

        assert rounded % to == 0
        assert abs(rounded - value) <= Fraction(to, 2)
        assert round_half_up(-value, to) == -rounded

    @pytest.mark.gap("9.7")
    def test_percentages_go_in_the_currencys_steps(self) -> None:
        assert percentage(5000, 290, "USD") == 145
        assert percentage(1050, 250, "USD") == 26  # 26.25
        assert percentage(1000, 125, "JPY") == 13  # 12.5
        assert percentage(10_000, 333, "KWD") == 330  # 333, in steps of ten
        assert percentage(100_000, 250, "ISK") == 2500
        assert percentage(110_000, 50, "ISK") == 600  # 550, half of a step


class TestAllocate:
    @pytest.mark.gap("9.7")
    @EXAMPLES
    @given(amount=st.integers(-(10**9), 10**9), weights=WEIGHTS, to=STEPS)
    def test_sums_exactly_and_stays_near_each_share(self, amount: int, weights: list[int], to: int) -> None:
        parts = allocate(amount, weights, to=to)

        assert sum(parts) == amount
        assert all(part == 0 or (part < 0) == (amount < 0) for part in parts)
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)
        if amount % to == 0:
            assert all(part % to == 0 for part in parts)
        exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
        assert all(abs(part - share) < 2 * to for part, share in zip(parts, exact, strict=True))

    @pytest.mark.gap("9.7")
    def test_gives_the_rest_by_largest_remainder_then_by_order(self) -> None:
        assert allocate(100, [1, 1, 1]) == [34, 33, 33]
        assert allocate(101, [1, 1, 1]) == [34, 34, 33]
        assert allocate(10, [1, 2]) == [3, 7]
        assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
        assert allocate(100, [1, 1, 1], to=10) == [40, 30, 30]

    def test_puts_an_odd_rest_on_the_first_part_with_a_weight(self) -> None:
        assert allocate(25, [0, 1, 1], to=10) == [0, 15, 10]

    @pytest.mark.parametrize("weights", [[], [0, 0], [5, -1]])
    def test_refuses_weights_that_say_nothing(self, weights: list[int]) -> None:
        with pytest.raises(ValueError, match="weights"):
            allocate(1, weights)
