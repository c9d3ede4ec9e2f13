"""The steps of one account's part of a run. Each locks the part, sees that its cursor is still where the step began, and commits the
work with the new cursor: a step repeated, or done by two workers at once, counts once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from billing.gateway.base import GatewayBusy, GatewayRefused, GatewayUnknown, MovementPage
from billing.gateway.selection import gateway
from billing.models import BalanceTransaction, ReconciliationPart
from billing.querysets import BalanceTransactionQuerySet
from billing.reconciliation import discrepancies, importing, linking, matching, months, residuals
from billing.reconciliation.accounts import StripeAccount
from billing.reconciliation.matching import Seen
from core.jobs import RetryLater

BY = Actor.system("billing.reconciliation")
BATCH = 2_000
CLOSED_AT_ONCE = 200
# No transaction stays open this long: what was posted before counts as committed, whatever its number says.
LONGEST_TRANSACTION = timedelta(hours=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
State = ReconciliationPart.State


def account_of(part: ReconciliationPart) -> StripeAccount:
    return StripeAccount(part.account, part.organization_id)


def _locked(part: ReconciliationPart) -> ReconciliationPart | None:
    """The part with its row locked; None where another worker has taken this step meanwhile."""
    now = ReconciliationPart.objects.select_for_update(of=["self"]).select_related("run").get(pk=part.pk)
    return now if (now.state, now.cursor) == (part.state, part.cursor) else None


@transaction.atomic
def begin_part(part: ReconciliationPart) -> None:
    locked = _locked(part)
    if locked is None:
        return
    account = account_of(locked)
    locked.begin()
    locked.since = months.first_open(account)
    locked.import_since = importing.since(account)
    locked.save(update_fields=["state", "since", "import_since", "error", "moved_at"])


def import_page(part: ReconciliationPart) -> None:
    """Fetch and keep one page. Raises RetryLater where Stripe cannot be asked now; where it refuses, the part has failed."""
    try:
        page = gateway().balance_transactions(account=part.account, since=part.import_since, after=part.cursor)
    except (GatewayBusy, GatewayUnknown) as error:
        raise RetryLater(str(error)) from error
    except GatewayRefused as error:
        fail_part(part=part, error=f"Stripe refused: {error}")
        return
    imported(part=part, page=page)


@transaction.atomic
def fail_part(*, part: ReconciliationPart, error: str) -> None:
    locked = _locked(part)
    if locked is not None:
        locked.fail(error=error)
        locked.save(update_fields=["state", "error", "moved_at"])


@transaction.atomic
def imported(*, part: ReconciliationPart, page: MovementPage) -> None:
    locked = _locked(part)
    if locked is None:
        return
    account, found = account_of(locked), page.movements
    importing.store(account, found)
    locked.imported += len(found)
    if found:
        locked.cursor = found[-1].id
        locked.newest_at = locked.newest_at or found[0].created_at
    if not page.has_more:
        at = timezone.now()
        if locked.imported >= BATCH:
            importing.measure()
        locked.check_stripe(at=at, snapshot=matching.snapshot(), to_check=_to_check(locked).count())
    locked.save(update_fields=["state", "cursor", "imported", "newest_at", "cut_at", "snapshot", "to_check", "moved_at"])


def _to_check(part: ReconciliationPart) -> BalanceTransactionQuerySet:
    return BalanceTransaction.objects.filter(account=part.account, created_at__gte=part.since or _BEGINNING)


def _seen(part: ReconciliationPart) -> Seen:
    cut = part.cut_at or timezone.now()
    return Seen(part.snapshot, cut - LONGEST_TRANSACTION)


@transaction.atomic
def check_stripe(part: ReconciliationPart) -> None:
    """Link and compare the next balance transactions, oldest first."""
    locked = _locked(part)
    if locked is None:
        return
    matching.look_up_by_index()
    rows = _to_check(locked).after(locked.cursor)[:BATCH]
    walked = list(rows.values_list("pk", "created_at"))
    if walked:
        keys = [key for key, _ in walked]
        linking.link(keys, is_platform=not locked.account)
        _keep(locked, matching.stripe_names(keys))
        locked.cursor = f"{walked[-1][1].isoformat()}|{walked[-1][0]}"
        locked.checked += len(walked)
    else:
        locked.check_books()
    locked.save(update_fields=["state", "cursor", "checked", "found", "moved_at"])


@transaction.atomic
def check_books(part: ReconciliationPart) -> None:
    """Look up the next ledger transactions at Stripe; after the last one, close what agrees again and work out the residuals."""
    locked = _locked(part)
    if locked is None:
        return
    account, seen = account_of(locked), _seen(locked)
    matching.look_up_by_index()
    count, last, names = matching.books_batch(account, after=locked.cursor or _first_key(locked), limit=BATCH, seen=seen)
    if count:
        _keep(locked, names)
        locked.cursor = last
        locked.checked_books += count
    elif not discrepancies.close_agreed(
        account=account, run=locked.run, since=locked.since, limit=CLOSED_AT_ONCE, at=timezone.now(), by=BY
    ):
        locked.residuals = residuals.of(account, seen)
        months.open_new(account, until=timezone.now())
        locked.finish()
    locked.save(update_fields=["state", "cursor", "checked_books", "found", "residuals", "moved_at"])


def _first_key(part: ReconciliationPart) -> str:
    """The smallest key that a ledger transaction posted in the open periods can have: keys begin with the moment they were made."""
    milliseconds = int((part.since or _BEGINNING).timestamp() * 1000)
    return str(UUID(int=milliseconds << 80))


def _keep(part: ReconciliationPart, names: list[str]) -> None:
    account = account_of(part)
    pairs = matching.compare(account, names, _seen(part)) if names else []
    if pairs:
        part.found += discrepancies.keep(account=account, run=part.run, pairs=pairs, at=part.cut_at or timezone.now(), by=BY)
