"""Both sides compared, set by set: what Stripe moved and what the ledger booked under the same name, per currency.

A name ("about") is the ledger reference that books a movement, or Stripe's txn_… where nothing here is known of it. The ledger's side of
a name is everything posted under it, under its ":fee" and under the discrepancies about it, as far as it touches the account's balance.
What was posted for a discrepancy counts at once, also while a run goes on that began before: it is what the run itself asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from billing.models import BalanceTransaction
from billing.reconciliation.accounts import StripeAccount

# What was committed when the snapshot was taken, however long the comparison lasts. Transaction numbers start again where a dump is
# restored, so what is old enough counts by its time.
SEEN = """(%(snapshot)s = '' OR t.posted_at < %(old)s OR t.xact = pg_current_xact_id()::text::bigint
    OR pg_visible_in_snapshot(t.xact::text::xid8, NULLIF(%(snapshot)s, '')::pg_snapshot))"""
_COMPARE = f"""
WITH names AS MATERIALIZED (SELECT DISTINCT unnest(%(names)s::text[]) AS about),
moved AS (
    SELECT n.about, m.* FROM names n CROSS JOIN LATERAL (
        SELECT id, currency, amount, fee, type, reporting_category, created_at FROM billing_balancetransaction
        WHERE account = %(account)s AND about = n.about AND about <> ''
        UNION ALL
        SELECT id, currency, amount, fee, type, reporting_category, created_at FROM billing_balancetransaction
        WHERE stripe_id = n.about AND account = %(account)s AND about = ''
    ) m
),
theirs AS (
    SELECT about, currency, sum(amount) AS amount, sum(fee) AS fee, min(created_at) AS first_at, max(created_at) AS last_at,
        min(id) AS row_id, min(type) AS type, min(reporting_category) AS category
    FROM moved GROUP BY about, currency
),
facts AS (
    SELECT n.about, t.id, t.occurred_at, t.posted_at
    FROM names n CROSS JOIN LATERAL (VALUES (n.about), (n.about || ':fee')) AS r (reference)
        JOIN ledger_ledgertransaction t ON t.reference = r.reference
    WHERE {SEEN}
    UNION ALL
    SELECT n.about, t.id, t.occurred_at, t.posted_at
    FROM names n JOIN billing_discrepancy d ON d.account = %(account)s AND d.about = n.about AND d.is_posted
        CROSS JOIN LATERAL (VALUES ('discrepancy:' || d.id), ('discrepancy:' || d.id || ':ours'), ('discrepancy:' || d.id || ':suspense'))
            AS r (reference)
        JOIN ledger_ledgertransaction t ON t.reference = r.reference
),
booked AS (
    SELECT f.about, f.id, min(f.occurred_at) AS first_at, max(f.posted_at) AS last_at, min(e.currency) AS currency,
        coalesce(sum(e.amount) FILTER (WHERE e.account = %(code)s AND e.owner = %(owner)s), 0) AS net,
        coalesce(sum(e.amount) FILTER (WHERE e.account = 'stripe_fees'), 0) AS fee
    FROM facts f JOIN ledger_ledgerentry e ON e.transaction_id = f.id
    GROUP BY f.about, f.id HAVING bool_or(e.account = %(code)s AND e.owner = %(owner)s)
),
ours AS (
    SELECT about, currency, sum(net) AS net, sum(fee) AS fee, min(first_at) AS first_at, max(last_at) AS last_at
    FROM booked GROUP BY about, currency
)
SELECT about, currency, t.amount, t.fee, t.first_at, t.last_at, t.row_id, t.type, o.net + o.fee, o.fee, o.first_at, o.last_at,
    t.category
FROM theirs t FULL JOIN ours o USING (about, currency)
WHERE (coalesce(t.amount, 0), coalesce(t.fee, 0)) <> (coalesce(o.net + o.fee, 0), coalesce(o.fee, 0))
ORDER BY about, currency
"""


@dataclass(frozen=True, slots=True)
class Side:
    """amount, fee: minor units. first_at: when it happened; last_at: when this side last heard of it."""

    amount: int
    fee: int
    currency: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """What differs under one name. type, category (Stripe's reporting category) and row_id: of Stripe's (first) balance transaction."""

    about: str
    theirs: Side | None
    ours: Side | None
    type: str = ""
    category: str = ""
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What of the ledger counts: everything committed in `snapshot`, and everything posted before `old`. Empty: all that is there."""

    snapshot: str = ""
    old: datetime | None = None


def compare(account: StripeAccount, names: Sequence[str], seen: Seen = Seen()) -> list[Pair]:
    """Every name on which the two sides differ."""
    books = account.books
    given: dict[str, Any] = {
        "names": list(names),
        "account": account.stripe_id,
        "code": books.code,
        "owner": books.owner,
        "snapshot": seen.snapshot,
        "old": seen.old,
    }
    found: dict[str, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, given)
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(row)
    return [_pair(about, rows) for about, rows in found.items()]


def _pair(about: str, rows: list[tuple[Any, ...]]) -> Pair:
    """One name's rows, a row a currency: where the two sides have different currencies, one row holds each."""
    theirs = next((row for row in rows if row[2] is not None), None)
    ours = next((row for row in rows if row[8] is not None and (row[8] or row[9])), None)
    their_side = Side(int(theirs[2]), int(theirs[3]), theirs[1], theirs[4], theirs[5]) if theirs else None
    our_side = Side(int(ours[8]), int(ours[9]), ours[1], ours[10], ours[11]) if ours else None
    return Pair(about, their_side, our_side, theirs[7] if theirs else "", theirs[12] if theirs else "", theirs[6] if theirs else None)


def stripe_names(rows: Sequence[int]) -> list[str]:
    """The names of these balance transactions."""
    found = BalanceTransaction.objects.filter(pk__in=rows).values_list("about", "stripe_id")
    return [about or stripe_id for about, stripe_id in found]


# One look into the index for each name: as a join, PostgreSQL reads all movements of the account for each of them while its statistics are
# older than what they are named after.
_ONLY_IN_THE_BOOKS = f"""
WITH walked AS MATERIALIZED (
    SELECT DISTINCT e.transaction_id FROM ledger_ledgerentry e
    WHERE e.account = %(code)s AND e.owner = %(owner)s AND e.transaction_id > %(after)s
    ORDER BY e.transaction_id LIMIT %(limit)s
),
named AS (
    SELECT CASE WHEN t.reference LIKE 'payment:%%:fee' OR t.reference LIKE 'invoice:%%:fee'
        THEN left(t.reference, -4) ELSE t.reference END AS about
    FROM walked w JOIN ledger_ledgertransaction t ON t.id = w.transaction_id
    WHERE t.reference NOT LIKE 'discrepancy:%%' AND {SEEN}
)
SELECT (SELECT count(*) FROM walked), (SELECT transaction_id FROM walked ORDER BY transaction_id DESC LIMIT 1), array(
    SELECT DISTINCT about FROM named n WHERE (
        SELECT 1 FROM billing_balancetransaction m WHERE m.account = %(account)s AND m.about = n.about AND m.about <> '' LIMIT 1) IS NULL)
"""


def books_batch(account: StripeAccount, *, after: str, limit: int, seen: Seen) -> tuple[int, str, list[str]]:
    """The next ledger transactions of the account: how many, the last one's key, and the names of which Stripe has nothing."""
    books = account.books
    given: dict[str, Any] = {
        "code": books.code,
        "owner": books.owner,
        "after": after,
        "limit": limit,
        "account": account.stripe_id,
        "snapshot": seen.snapshot,
        "old": seen.old,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ONLY_IN_THE_BOOKS, given)
        count, last, names = cursor.fetchone()
    return int(count), str(last or ""), list(names)


def look_up_by_index() -> None:
    """For the rest of the transaction: a batch of names is looked up row by row, whatever the planner thinks of tables that have just
    grown. A plan that reads them whole would make every batch as expensive as everything there is.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off")


def snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])
