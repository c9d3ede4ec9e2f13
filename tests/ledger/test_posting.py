"""The ledger's writer, and what PostgreSQL refuses whoever writes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.actor import Actor, StaffGroup
from core.money import UnknownCurrency
from ledger import balances, posting
from ledger.chart import PLATFORM_FEES, STRIPE_BALANCE, Account, organizer_payable, tax_payable
from ledger.models import LedgerEntry, LedgerTransaction
from ledger.posting import Entry, Unbalanced
from tests.sizes import SIZES

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORGANIZATION = uuid4()
SALE = [Entry(STRIPE_BALANCE, 5000), Entry(organizer_payable(ORGANIZATION), -4500), Entry(PLATFORM_FEES, -500)]


def post(reference: str = "payment:1", *, entries: Sequence[Entry] = SALE, currency: str = "USD") -> LedgerTransaction:
    return posting.post(reference=reference, description="Payment", currency=currency, entries=entries, occurred_at=AT)


def constraint(error: pytest.ExceptionInfo[DatabaseError]) -> str:
    name: str = error.value.__cause__.diag.constraint_name  # type: ignore[union-attr]
    return name


def execute(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def bare_header(reference: str = "raw:1", currency: str = "USD") -> LedgerTransaction:
    return LedgerTransaction.objects.create(reference=reference, description="raw", currency=currency, occurred_at=AT)


def bare_line(header: LedgerTransaction, amount: int, *, account: str = "stripe_balance", currency: str = "USD") -> LedgerEntry:
    return LedgerEntry.objects.create(transaction=header, account=account, amount=amount, currency=currency)


@pytest.mark.django_db
class TestPost:
    def test_writes_one_balanced_transaction(self) -> None:
        written = posting.post(
            reference="payment:1", description="Payment", currency="USD", entries=SALE, occurred_at=AT, organization_id=ORGANIZATION
        )

        kept = LedgerTransaction.objects.get(pk=written.pk)
        assert (str(kept), kept.currency, kept.organization_id, kept.occurred_at) == ("payment:1", "USD", ORGANIZATION, AT)
        assert kept.public_id.startswith("ltx_")
        assert {(str(entry), entry.amount, entry.currency) for entry in kept.entries.all()} == {
            ("stripe_balance", 5000, "USD"),
            (f"organizer_payable:{ORGANIZATION}", -4500, "USD"),
            ("platform_fees", -500, "USD"),
        }
        assert posting.posted("payment:1")
        assert not posting.posted("payment:2")

    def test_leaves_out_entries_of_zero(self) -> None:
        written = post(entries=[*SALE, Entry(tax_payable("US"), 0)])
        assert written.entries.count() == 3

    @pytest.mark.parametrize(
        "entries",
        [
            [],
            [Entry(STRIPE_BALANCE, 0), Entry(PLATFORM_FEES, 0)],
            [Entry(STRIPE_BALANCE, 100)],
            [Entry(STRIPE_BALANCE, 100), Entry(PLATFORM_FEES, -99)],
        ],
    )
    def test_refuses_what_does_not_balance(self, entries: list[Entry]) -> None:
        with pytest.raises(Unbalanced):
            post(entries=entries)
        assert not LedgerTransaction.objects.exists()

    def test_refuses_an_unknown_currency(self) -> None:
        with pytest.raises(UnknownCurrency):
            post(currency="usd")

    def test_refuses_a_reference_twice(self) -> None:
        post()
        with pytest.raises(IntegrityError, match="reference"), transaction.atomic():
            post()
        assert LedgerEntry.objects.count() == 3

    def test_posts_several_in_one_transaction(self) -> None:
        with transaction.atomic():
            post("payment:1")
            post("payment:2")
        assert balances.balance(STRIPE_BALANCE, "USD") == 10_000


@pytest.mark.django_db
class TestTriggers:
    """What `post` would never do, done by hand."""

    def test_refuse_an_unbalanced_transaction(self) -> None:
        with pytest.raises(IntegrityError, match="not balanced") as refused, transaction.atomic():
            header = bare_header()
            bare_line(header, 100)
            bare_line(header, -99, account="platform_fees")
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert constraint(refused) == "ledger_balanced"

    def test_refuse_a_single_line(self) -> None:
        with pytest.raises(IntegrityError, match="not balanced"), transaction.atomic():
            bare_line(bare_header(), 100)
            execute("SET CONSTRAINTS ALL IMMEDIATE")

    def test_refuse_a_header_without_lines(self) -> None:
        with pytest.raises(IntegrityError, match="no entries") as refused, transaction.atomic():
            bare_header()
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert constraint(refused) == "ledger_has_entries"

    def test_refuse_a_line_of_another_currency(self) -> None:
        with pytest.raises(IntegrityError, match="another currency") as refused, transaction.atomic():
            bare_line(bare_header(), 100, currency="EUR")
        assert constraint(refused) == "ledger_sealed"

    def test_refuse_a_line_of_zero(self) -> None:
        with pytest.raises(IntegrityError, match="ledger_entry_not_zero"), transaction.atomic():
            bare_line(bare_header(), 0)

    def test_refuse_an_account_outside_the_chart(self) -> None:
        with pytest.raises(IntegrityError, match="ledger_account_in_chart"), transaction.atomic():
            bare_line(bare_header(), 100, account="pocket")


@pytest.mark.django_db(transaction=True)
class TestCommit:
    def test_takes_an_unbalanced_transaction_back_whole(self) -> None:
        with pytest.raises(IntegrityError, match="not balanced"), transaction.atomic():
            header = bare_header()
            bare_line(header, 100)
            bare_line(header, 100, account="platform_fees")
        assert not LedgerTransaction.objects.exists()
        assert not LedgerEntry.objects.exists()

    def test_seals_what_was_written(self) -> None:
        written = post()
        with pytest.raises(IntegrityError, match="sealed") as refused, transaction.atomic():
            bare_line(written, 100)
            bare_line(written, -100)
        assert constraint(refused) == "ledger_sealed"
        assert LedgerEntry.objects.count() == 3

    def test_is_refused_at_once_and_not_at_the_end(self) -> None:
        reached = False
        with pytest.raises(IntegrityError), transaction.atomic():
            with transaction.atomic():
                bare_line(bare_header(), 100)
            post("payment:2")  # checks what is deferred so far, here
            reached = True
        assert not reached
        assert not LedgerTransaction.objects.exists()


@pytest.mark.django_db
class TestAppendOnly:
    @pytest.mark.parametrize("table", ["ledger_ledgerentry", "ledger_ledgertransaction"])
    @pytest.mark.parametrize("statement", ["UPDATE {} SET currency = currency", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_refuses_every_change(self, table: str, statement: str) -> None:
        post()
        execute("SET CONSTRAINTS ALL IMMEDIATE")  # with a check still to come, TRUNCATE would be refused for that
        with pytest.raises(DatabaseError, match=r"append-only|Cannot update or delete rows"), transaction.atomic():
            execute(statement.format(table))
        assert LedgerEntry.objects.count() == 3

    def test_refuses_the_orm_too(self) -> None:
        written = post()
        line = written.entries.first()
        assert line is not None
        for change in (written.save, line.save, line.delete, lambda: LedgerEntry.objects.update(amount=1)):
            with pytest.raises(DatabaseError, match="Cannot update or delete rows"), transaction.atomic():
                change()


class TestAccount:
    def test_is_named_with_its_owner(self) -> None:
        assert str(Account("tax_payable", "DE")) == "tax_payable:DE"
        assert str(STRIPE_BALANCE) == "stripe_balance"

    @pytest.mark.parametrize(("code", "owner"), [("pocket", ""), ("stripe_balance", "x"), ("organizer_payable", ""), ("tax_payable", "")])
    def test_refuses_what_is_not_in_the_chart(self, code: str, owner: str) -> None:
        with pytest.raises(ValueError, match="account"):
            Account(code, owner)


ACCOUNTS = [STRIPE_BALANCE, PLATFORM_FEES, organizer_payable(ORGANIZATION), tax_payable("DE"), tax_payable("US")]
MOVES = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.integers(1, 10**9), st.sampled_from(["USD", "EUR", "JPY"]))


@pytest.mark.django_db
class TestBalances:
    def test_are_sums_of_entries_per_currency(self) -> None:
        post("payment:1")
        post("payment:2", currency="EUR")
        post("refund:1", entries=[Entry(entry.account, -entry.amount) for entry in SALE])

        assert balances.balance(STRIPE_BALANCE, "USD") == 0
        assert balances.balances(STRIPE_BALANCE) == {"USD": 0, "EUR": 5000}
        assert balances.balance(organizer_payable(ORGANIZATION), "EUR") == -4500
        assert balances.balance(organizer_payable(uuid4()), "EUR") == 0
        assert balances.totals() == {"USD": 0, "EUR": 0}

    def test_list_the_trial_balance_with_owners_apart_or_added_up(self) -> None:
        other = uuid4()
        post("payment:1")
        post("payment:2", entries=[Entry(STRIPE_BALANCE, 100), Entry(organizer_payable(other), -100)])

        rows = {(str(row.account), row.currency): row.amount for row in balances.trial_balance()}
        assert rows == {
            ("stripe_balance", "USD"): 5100,
            ("platform_fees", "USD"): -500,
            (f"organizer_payable:{ORGANIZATION}", "USD"): -4500,
            (f"organizer_payable:{other}", "USD"): -100,
        }
        together = {str(row.account): (row.kind, row.amount) for row in balances.trial_balance(by_owner=False)}
        assert together == {
            "stripe_balance": ("asset", 5100),
            "platform_fees": ("revenue", -500),
            "organizer_payable:all": ("liability", -4600),
        }

    @hypothesis_settings(max_examples=SIZES.hypothesis_examples, deadline=None)
    @given(moves=st.lists(MOVES.filter(lambda move: move[0] != move[1]), max_size=12))
    def test_close_to_zero_whatever_was_posted(self, moves: list[tuple[Account, Account, int, str]]) -> None:
        with transaction.atomic():
            expected: dict[tuple[Account, str], int] = {}
            for number, (debit, credit, amount, currency) in enumerate(moves):
                post(f"move:{number}", entries=[Entry(debit, amount), Entry(credit, -amount)], currency=currency)
                expected[debit, currency] = expected.get((debit, currency), 0) + amount
                expected[credit, currency] = expected.get((credit, currency), 0) - amount

            assert {(row.account, row.currency): row.amount for row in balances.trial_balance()} == expected
            assert not any(balances.totals().values())
            transaction.set_rollback(True)


@pytest.mark.django_db
class TestVisibleTo:
    def test_shows_the_books_to_staff_and_systems_only(self) -> None:
        post()
        member = Actor(label="user:usr_alice", user_id=uuid4(), organization_ids=frozenset({ORGANIZATION}))
        staff = Actor(label="user:usr_fay", user_id=uuid4(), staff_groups=frozenset({StaffGroup.FINANCE}))
        for rows in (LedgerTransaction.objects.all(), LedgerEntry.objects.all()):
            assert rows.visible_to(staff).exists()
            assert rows.visible_to(Actor.system("nightly")).exists()
            assert not rows.visible_to(member).exists()
            assert not rows.visible_to(Actor.anonymous()).exists()
