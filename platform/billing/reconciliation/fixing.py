"""How a person settles a difference. What posts names its counterpart in the chart; what asks Stripe is queued."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.recording import record
from billing.models import Discrepancy
from billing.reconciliation import discrepancies, entries, refetching
from billing.reconciliation.accounts import StripeAccount
from core import jobs
from core.errors import DomainError, InvalidInput, NotFound, PermissionRefused
from ledger import posting
from ledger.chart import RECONCILIATION_SUSPENSE, STRIPE_FEES, WRITE_OFF, Account
from ledger.posting import Entry
from organizations.permissions import Permission, require


class AlreadySettled(DomainError):
    code, http_status = "DISCREPANCY_SETTLED", 409

    def __init__(self, discrepancy: Discrepancy) -> None:
        super().__init__(f"This difference is {discrepancy.get_state_display().lower()} already.")


class NothingToAsk(DomainError):
    code, http_status = "NOTHING_TO_ASK", 409

    def __init__(self) -> None:
        super().__init__("Stripe has no object behind this difference that could be read again; post an adjustment or explain it.")


class MoneyInSuspense(DomainError):
    code, http_status = "MONEY_IN_SUSPENSE", 409

    def __init__(self) -> None:
        super().__init__("This money lies in suspense; say which account it belongs to, or write it off.")


def _locked(discrepancy_id: UUID, by: Actor) -> Discrepancy:
    """Raises NotFound, PermissionRefused, StepUpRequired, AlreadySettled."""
    row = Discrepancy.objects.visible_to(by).select_for_update(of=["self"]).filter(pk=discrepancy_id).first()
    if row is None:
        raise NotFound("difference")
    require(by, Permission.DISCREPANCY_FIX)
    if row.state not in Discrepancy.LIVE:
        raise AlreadySettled(row)
    return row


@transaction.atomic
def refetch(*, discrepancy_id: UUID, by: Actor) -> Discrepancy:
    """Have Stripe asked for the object again and everything booked that it shows; queued on return.

    Raises NotFound, PermissionRefused, StepUpRequired, AlreadySettled, NothingToAsk.
    """
    row = _locked(discrepancy_id, by)
    if not refetching.is_possible(row):
        raise NothingToAsk
    record(row, "discrepancy.refetched", by=by, organization_id=row.organization_id, after={"about": row.about})
    jobs.enqueue(refetching.refetch, discrepancy_id=row.pk)
    return row


@transaction.atomic
def import_external(*, discrepancy_id: UUID, by: Actor) -> Discrepancy:
    """Have what somebody made at Stripe (a refund, a payout of the platform) recorded and booked here; queued on return.

    Raises NotFound, PermissionRefused, StepUpRequired, AlreadySettled, NothingToAsk.
    """
    row = _locked(discrepancy_id, by)
    if not refetching.is_importable(row):
        raise NothingToAsk
    record(row, "discrepancy.import_requested", by=by, organization_id=row.organization_id, after={"about": row.about})
    jobs.enqueue(refetching.import_from_stripe, discrepancy_id=row.pk)
    return row


@transaction.atomic
def adjust(*, discrepancy_id: UUID, account: str, owner: str = "", reason: str, by: Actor) -> Discrepancy:
    """Book what makes both sides agree against this account of the chart; fixed on return, at today's date.

    Raises NotFound, PermissionRefused, StepUpRequired, AlreadySettled, InvalidInput.
    """
    row = _locked(discrepancy_id, by)
    _require_person(by)
    try:
        counter = Account(account, owner)
    except ValueError as error:
        raise InvalidInput("Choose an account, and its owner where it is kept by owner.", field="account") from error
    if counter in (_books(row), RECONCILIATION_SUSPENSE, WRITE_OFF):
        raise InvalidInput("Choose the account that this money belongs to; to give it up, write it off.", field="account")
    _post(row, counter, reason)
    record(row, "discrepancy.adjusted", by=by, organization_id=row.organization_id, after={"account": str(counter)}, reason=reason)
    discrepancies.fixed(discrepancy=row, at=timezone.now(), why=_reason(reason), by=by)
    return row


@transaction.atomic
def write_off(*, discrepancy_id: UUID, reason: str, by: Actor) -> Discrepancy:
    """Book the difference as lost (or won): both sides agree on return. Raises as `adjust`."""
    row = _locked(discrepancy_id, by)
    _require_person(by)
    _post(row, WRITE_OFF, reason)
    row.write_off(at=timezone.now())
    row.reason, row.closed_by_id = _reason(reason), by.user_id
    row.save(update_fields=["state", "closed_at", "closed_by", "reason", "is_posted", "is_suspended", "updated_at"])
    after = {"state": row.state, "net": row.differences}
    record(row, "discrepancy.written_off", by=by, organization_id=row.organization_id, after=after, reason=row.reason)
    return row


@transaction.atomic
def explain(*, discrepancy_id: UUID, reason: str, by: Actor) -> Discrepancy:
    """Say why the difference is right; nothing is booked, and it is open again once the difference becomes another.

    Raises NotFound, PermissionRefused, StepUpRequired, AlreadySettled, MoneyInSuspense, InvalidInput.
    """
    row = _locked(discrepancy_id, by)
    _require_person(by)
    if row.state == Discrepancy.State.EXPLAINED:
        raise AlreadySettled(row)
    if row.is_suspended:
        raise MoneyInSuspense
    row.explain(at=timezone.now())
    row.reason, row.closed_by_id = _reason(reason), by.user_id
    row.save(update_fields=["state", "closed_at", "closed_by", "reason", "updated_at"])
    after = {"state": row.state, "net": row.differences}
    record(row, "discrepancy.explained", by=by, organization_id=row.organization_id, after=after, reason=row.reason)
    return row


def _require_person(by: Actor) -> None:
    if by.user_id is None:
        raise PermissionRefused(Permission.DISCREPANCY_FIX)


def _reason(text: str) -> str:
    if len(text.strip()) < 3:
        raise InvalidInput("Write the reason; whoever audits the books reads it.", field="reason")
    return text.strip()[:500]


def _books(row: Discrepancy) -> Account:
    return StripeAccount(row.account, row.organization_id).books


def _post(row: Discrepancy, counter: Account, reason: str) -> None:
    """Under "discrepancy:<id>", where it is in the currency of ours alone ":ours". Afterwards nothing of it lies in suspense.

    What goes to stripe_fees passes through suspense: an entry there beside the balance's would count as a fee that Stripe took.
    """
    is_fee = counter == STRIPE_FEES and not row.is_suspended
    for currency, lines in entries.settled(row, _books(row), RECONCILIATION_SUSPENSE if is_fee else counter).items():
        name = f"discrepancy:{row.pk}" if currency == row.their_currency or not row.their_currency else f"discrepancy:{row.pk}:ours"
        _write(row, name, currency, lines, reason)
        held = -sum(line.amount for line in lines if line.account == RECONCILIATION_SUSPENSE)
        if is_fee and held:
            _write(row, f"{name}:fee", currency, [Entry(RECONCILIATION_SUSPENSE, held), Entry(STRIPE_FEES, -held)], reason)
    row.is_posted, row.is_suspended = True, False


def _write(row: Discrepancy, name: str, currency: str, lines: list[Entry], reason: str) -> None:
    if len(lines) > 1:
        posting.post(
            reference=name,
            description=f"Reconciliation: {_reason(reason)}"[:200],
            currency=currency,
            entries=lines,
            occurred_at=timezone.now(),
            organization_id=row.organization_id,
        )
