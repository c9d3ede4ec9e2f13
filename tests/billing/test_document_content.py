"""What documents say: amounts that add up in every currency, and paper that agrees with the books."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing import refunds
from billing.documents import issuing, printing
from billing.models import Document, FeeSchedule, Payment, TaxRate
from billing.quoting import Quote, QuoteLine
from core.money import Money
from ledger import balances
from ledger.chart import tax_payable
from tests.billing.test_refund_books import ACTIONS, act, hear, taken_back
from tests.factories.billing import again, finance, paid_payment, priced, requested_refund
from tests.factories.organizations import OrganizationFactory
from tests.paper import words
from tests.sizes import SIZES

pytestmark = [pytest.mark.django_db, pytest.mark.gap("9.3")]


def receipt_of(payment: Payment) -> Document:
    issuing.issue(payment_id=payment.pk)
    return Document.objects.get(payment=payment, kind="receipt")


def standing(payment: Payment) -> list[dict[str, Any]]:
    notes = Document.objects.filter(payment=payment, kind="credit_note").exclude(followed_by__kind="cancellation").order_by("id")
    return [note.content for note in notes]


def lines_of(*contents: dict[str, Any]) -> dict[str, int]:
    """What each kind of line comes to; a discount is part of the price."""
    found: dict[str, int] = {}
    for said in contents:
        for line in said["lines"]:
            kind = "price" if line["kind"] == "discount" else line["kind"]
            found[kind] = found.get(kind, 0) + line["amount"]
    return {kind: amount for kind, amount in found.items() if amount}


def taxed(organization: Any, inclusive: bool, currency: str = "EUR", **rates: int) -> Quote:
    FeeSchedule.objects.create(currency=currency, service_basis_points=300, **rates)
    TaxRate.objects.create(jurisdiction="DE", name="MwSt", basis_points=1900, inclusive=inclusive, starts_on="2026-01-01")
    return priced(organization, 10_000, currency, jurisdiction="DE")


class TestReceipt:
    def test_shows_tax_on_top_as_a_line_and_with_its_rate_and_base(self) -> None:
        organization = OrganizationFactory.create()
        said = receipt_of(paid_payment(organization=organization, quote=taxed(organization, inclusive=False))).content

        assert lines_of(said) == {"price": 10_000, "service_fee": 300, "tax": 1957}
        assert said["taxes"] == [
            {"name": "MwSt", "jurisdiction": "DE", "basis_points": 1900, "inclusive": False, "base": 10_300, "amount": 1957}
        ]
        assert said["total"] == 12_257

    def test_shows_tax_that_the_price_holds_beside_the_lines(self) -> None:
        organization = OrganizationFactory.create()
        said = receipt_of(paid_payment(organization=organization, quote=taxed(organization, inclusive=True))).content

        assert lines_of(said) == {"price": 10_000, "service_fee": 300}
        assert [(tax["base"], tax["amount"]) for tax in said["taxes"]] == [(8655, 1645)]
        assert said["total"] == 10_300

    def test_leaves_out_what_the_organizer_pays(self) -> None:
        lines = (QuoteLine("price", "Ethics", 5000), QuoteLine("service_fee", "Service fee", 300, payer="organizer"))
        said = receipt_of(paid_payment(quote=Quote(lines, Money(5000, "USD"), ""))).content

        assert lines_of(said) == {"price": 5000}


class TestCreditNote:
    def test_credits_nothing_at_a_price_that_nobody_paid(self) -> None:
        lines = (QuoteLine("price", "Ethics", 5000), QuoteLine("discount", "WELCOME", -1000), QuoteLine("service_fee", "Fee", 400))
        payment = paid_payment(quote=Quote(lines, Money(4400, "USD"), ""))
        hear(requested_refund(payment, 1100), "succeeded")
        issuing.issue(payment_id=payment.pk)

        assert standing(payment)[0]["lines"] == [
            {"kind": "price", "description": "Ethics in practice", "amount": 1000},
            {"kind": "service_fee", "description": "Fee", "amount": 100},
        ]

    @hypothesis_settings(max_examples=SIZES.hypothesis_examples // 2, deadline=None)
    @given(
        parts=st.tuples(st.integers(1, 400), st.integers(0, 200), st.integers(0, 90), st.integers(0, 90)),
        inclusive=st.booleans(),
        actions=ACTIONS,
        issues=st.sets(st.integers(0, 14)),
    )
    def test_notes_add_up_to_what_was_refunded_and_close_every_line_and_tax(
        self, parts: tuple[int, int, int, int], inclusive: bool, actions: list[tuple[str, int]], issues: set[int]
    ) -> None:
        price, fee, tax, city = parts
        lines = [QuoteLine("price", "p", price + tax)]
        lines += [QuoteLine("service_fee", "s", fee)] if fee else []
        lines += [QuoteLine("tax", "t", tax, jurisdiction="DE", inclusive=inclusive)] if tax else []
        lines += [QuoteLine("tax", "c", city, jurisdiction="DE")] if city else []
        total = sum(line.amount for line in lines if not line.inclusive)
        with taken_back():
            by, payment = finance(), paid_payment(quote=Quote(tuple(lines), Money(total, "USD"), ""), fee=None)
            receipt = receipt_of(payment).content
            for number, (action, value) in enumerate(actions):
                act(again(payment), by, action, value)
                if number in issues:
                    self.check(payment)
            for refund in payment.refunds.filter(state__in=["requested", "approved", "submitting"]):
                hear(refund, "succeeded")
            self.check(payment)
            if rest := refunds.refundable(again(payment)).amount:
                hear(requested_refund(payment, rest, by=by), "succeeded")
            self.check(payment)

            assert lines_of(*standing(payment)) == lines_of(receipt)
            for place, whole in enumerate(receipt["taxes"]):
                assert sum(note["taxes"][place]["amount"] for note in standing(payment)) == whole["amount"]

    @staticmethod
    def check(payment: Payment) -> None:
        issuing.issue(payment_id=payment.pk)
        notes = standing(payment)
        assert sum(note["total"] for note in notes) == again(payment).amount_refunded
        for document in Document.objects.filter(payment=payment):
            assert sum(line["amount"] for line in document.content["lines"]) == document.content["total"] == document.amount
        if payment.refunds.taking_money().exclude(state="succeeded").exists():
            return  # the books hold shares for refunds on their way, paper does not
        receipt = Document.objects.get(payment=payment, kind="receipt").content
        owed = sum(tax["amount"] for tax in receipt["taxes"]) - sum(tax["amount"] for note in notes for tax in note["taxes"])
        assert -balances.balance(tax_payable("DE"), "USD") == owed


class TestPrint:
    @pytest.mark.parametrize(
        ("currency", "amount", "written"),
        [
            ("USD", 123_456, "1,234.56 USD"),
            ("EUR", 50, "0.50 EUR"),
            ("JPY", 68_000, "68,000 JPY"),
            ("KWD", 160_500, "160.500 KWD"),
            ("ISK", 150_000, "1,500.00 ISK"),
        ],
    )
    def test_writes_amounts_of_every_family_of_currencies(self, currency: str, amount: int, written: str) -> None:
        receipt = receipt_of(paid_payment(amount=amount, currency=currency))

        assert words(printing.pdf(receipt)).count(written) == 2

    def test_says_who_sold_what_to_whom_for_how_much(self, settings: Any) -> None:
        organization = OrganizationFactory.create(
            name="North", legal_name="North gGmbH", address="Weg 1\n20095 Hamburg", country="DE", tax_id="DE123456789"
        )
        payment = paid_payment(organization=organization, quote=taxed(organization, inclusive=False))
        receipt = receipt_of(payment)
        said = words(printing.pdf(receipt))

        assert said.startswith(f"Receipt {receipt.shown_number} Issued ")
        assert "SOLD BY North gGmbH trading as North Weg 1 20095 Hamburg DE Tax id: DE123456789" in said
        assert "SOLD TO Zoë Ågren zoe@example.org" in said
        assert "Ethics 100.00 EUR Service fee 3.00 EUR MwSt 19.57 EUR Total paid 122.57 EUR" in said
        assert "MwSt (DE), added to the prices 19 % 103.00 EUR 19.57 EUR" in said
        assert payment.public_id in said
        assert f"Paid in full to {settings.SITE_NAME}, which takes payments for North." in said

    def test_a_credit_note_names_its_receipt_and_a_cancellation_names_the_note(self) -> None:
        payment = paid_payment()
        receipt, refund = receipt_of(payment), requested_refund(payment, 2000)
        hear(refund, "succeeded")
        note = issuing.issue(payment_id=payment.pk)[0]
        hear(refund, "failed", failure_reason="lost_or_stolen_card")
        cancellation = issuing.issue(payment_id=payment.pk)[0]

        said = words(printing.pdf(note))
        assert said.startswith(f"Credit note {note.shown_number} Issued ")
        assert f"For receipt {receipt.shown_number} of " in said
        assert "Total credited 20.00 USD" in said
        assert "No tax was charged." in said
        said = words(printing.pdf(cancellation))
        assert f"Cancels {note.shown_number} of " in said
        assert "lost_or_stolen_card The receipt stands as before this credit." in said
        assert printing.file_name(cancellation) == f"{cancellation.shown_number}.pdf"

    def test_tells_of_a_rate_that_was_not_stored_by_its_name_alone(self) -> None:
        lines = (QuoteLine("price", "Ethics", 5000), QuoteLine("tax", "Old tax", 500, jurisdiction="US-NY", inclusive=True))
        receipt = receipt_of(paid_payment(quote=Quote(lines, Money(5000, "USD"), "")))

        assert "Old tax (US-NY), included in the prices 45.00 USD 5.00 USD" in words(printing.pdf(receipt))

    def test_gives_the_same_bytes_again_after_everything_around_it_changed(self, settings: Any) -> None:
        receipt = receipt_of(paid_payment())
        first = printing.pdf(receipt)
        settings.SITE_NAME = "Another name"
        receipt.organization.name = "Another organization"
        receipt.organization.save()

        assert printing.pdf(Document.objects.get(pk=receipt.pk)) == first
