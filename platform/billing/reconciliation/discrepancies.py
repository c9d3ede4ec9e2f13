"""Differences kept: each found once, brought up to date by later runs, closed when both sides agree again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit.actor import Actor
from audit.recording import record
from billing.models import Discrepancy, Payment, ReconciliationRun, Refund
from billing.reconciliation import classifying, entries, linking
from billing.reconciliation.accounts import StripeAccount
from billing.reconciliation.matching import Pair, Side
from ledger import posting

AGREED = "Both sides agree."
_SIDES = ["their_amount", "their_fee", "their_currency", "our_amount", "our_fee", "our_currency"]
_KEPT = ["state", "kind", "happened_at", "balance_transaction", "closed_at", "closed_by", "reason", "updated_at", *_SIDES]
# In these states of ours the money of the movement cannot have moved; while a row waits for Stripe's word nothing is contradicted.
_UNPAID = (Payment.State.FAILED, Payment.State.CANCELLED, Payment.State.EXPIRED)


@transaction.atomic
def keep(*, account: StripeAccount, run: ReconciliationRun, pairs: Sequence[Pair], at: datetime, by: Actor) -> int:
    """Every pair has its one live discrepancy on return, as it is now; how many are new. The caller holds the part's lock.

    A type of movement that is unknown here is posted to reconciliation_suspense. One that was explained is open again where the
    difference has become another.
    """
    contradicted = _contradicted(pairs)
    live = Discrepancy.objects.select_for_update().filter(
        account=account.stripe_id, about__in=[pair.about for pair in pairs], state__in=Discrepancy.LIVE
    )
    known = {row.about: row for row in live}
    new, changed = [], []
    for pair in pairs:
        kind = classifying.classify(pair, contradicts=pair.about in contradicted, at=at)
        if pair.about not in known:
            new.append(_made(account, pair, kind, run))
        elif _bring_up_to_date(known[pair.about], pair, kind):
            changed.append(known[pair.about])
    Discrepancy.objects.bulk_create(new)
    Discrepancy.objects.bulk_update(changed, _KEPT, batch_size=500)
    Discrepancy.objects.filter(pk__in=[row.pk for row in known.values()]).update(seen_in=run)
    for row in [*new, *changed]:
        _suspend(row, account, by)
    return len(new)


def _made(account: StripeAccount, pair: Pair, kind: Discrepancy.Kind, run: ReconciliationRun) -> Discrepancy:
    row = Discrepancy(
        account=account.stripe_id, organization_id=account.organization_id, about=pair.about, found_in=run, seen_in=run, kind=kind
    )
    _set_sides(row, pair)
    return row


def _bring_up_to_date(row: Discrepancy, pair: Pair, kind: Discrepancy.Kind) -> bool:
    """Whether anything has changed since it was last seen."""
    before = (row.kind, row.balance_transaction_id, *(getattr(row, name) for name in _SIDES))
    row.kind = kind
    _set_sides(row, pair)
    after = (row.kind, row.balance_transaction_id, *(getattr(row, name) for name in _SIDES))
    if row.state == Discrepancy.State.EXPLAINED and before[2:] != after[2:]:
        row.reopen()
    return before != after


def _set_sides(row: Discrepancy, pair: Pair) -> None:
    row.their_amount, row.their_fee, row.their_currency = _values(pair.theirs)
    row.our_amount, row.our_fee, row.our_currency = _values(pair.ours)
    row.balance_transaction_id = pair.row_id
    row.happened_at = (pair.theirs or pair.ours).first_at  # type: ignore[union-attr]  # a pair has a side


def _values(side: Side | None) -> tuple[int | None, int | None, str]:
    return (side.amount, side.fee, side.currency) if side is not None else (None, None, "")


def _contradicted(pairs: Iterable[Pair]) -> set[str]:
    """Names of movements at Stripe that our own row's state rules out."""
    names = [pair.about for pair in pairs if pair.ours is None]
    payments = Payment.objects.filter(pk__in=_keys(names, "payment"), state__in=_UNPAID).values_list("pk", flat=True)
    found = {f"payment:{key}" for key in payments}
    states = dict(Refund.objects.filter(pk__in=_keys(names, "refund")).values_list("pk", "state"))
    for name in names:
        if name.startswith("refund:"):
            came_back, state = ":reversal" in name, states.get(UUID(name.split(":")[1]))
            if state == Refund.State.SUCCEEDED if came_back else state in Refund.ENDED_WITHOUT_MONEY:
                found.add(name)
    return found


def _keys(names: Iterable[str], kind: str) -> list[UUID]:
    return [UUID(name.split(":")[1]) for name in names if name.startswith(f"{kind}:")]


def _suspend(row: Discrepancy, account: StripeAccount, by: Actor) -> None:
    """Book a movement of an unknown type against suspense: the balance is right again, and somebody has to say what it was."""
    found = row.balance_transaction
    is_unknown = row.kind == Discrepancy.Kind.MISSING_HERE and ":" not in row.about
    if found is None or found.reporting_category in linking.DISPUTES:
        return
    if not is_unknown or row.is_posted or row.state != Discrepancy.State.OPEN:
        return
    lines = entries.to_suspense(row, account.books)
    if len(lines) < 2:  # it moved nothing
        return
    posting.post(
        reference=f"discrepancy:{row.pk}:suspense",
        description=f"Unknown at Stripe: {found.type} {row.about}"[:200],
        currency=row.their_currency,
        entries=lines,
        occurred_at=row.happened_at,
        organization_id=row.organization_id,
    )
    row.is_posted = row.is_suspended = True
    row.save(update_fields=["is_posted", "is_suspended", "updated_at"])
    record(row, "discrepancy.suspended", by=by, organization_id=row.organization_id, after={"net": row.differences})


@transaction.atomic
def fixed(*, discrepancy: Discrepancy, at: datetime, why: str, by: Actor) -> None:
    """Both sides agree, by a posting or by themselves. The caller holds the row's lock."""
    discrepancy.fix(at=at)
    discrepancy.reason, discrepancy.closed_by_id = why[:500], by.user_id
    discrepancy.save(update_fields=["state", "closed_at", "closed_by", "reason", "is_posted", "is_suspended", "updated_at"])
    record(discrepancy, "discrepancy.fixed", by=by, organization_id=discrepancy.organization_id, after={"state": "fixed"}, reason=why)


@transaction.atomic
def close_agreed(*, account: StripeAccount, run: ReconciliationRun, since: datetime | None, limit: int, at: datetime, by: Actor) -> int:
    """Close, up to `limit`, what this run has compared and found no different any more; how many. Money in suspense waits for a person."""
    gone = Discrepancy.objects.select_for_update().filter(account=account.stripe_id, state__in=Discrepancy.LIVE, is_suspended=False)
    if since is not None:
        gone = gone.filter(happened_at__gte=since)  # what was explained in a closed period was not compared again
    rows = list(gone.exclude(seen_in=run).order_by("id")[:limit])
    for row in rows:
        fixed(discrepancy=row, at=at, why=AGREED, by=by)
    return len(rows)
