"""Which ledger entries each fact about money makes. Pure: no queries beyond the lines that are handed in, no writes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from billing.models import Dispute, DisputeMovement, Invoice, Payment, PaymentLine, Refund
from core.money import allocate, step
from ledger.chart import (
    DISPUTE_LOSSES,
    DISPUTES_HELD,
    PLATFORM_FEES,
    PROCESSING_FEES,
    REFUNDS_IN_FLIGHT,
    STRIPE_BALANCE,
    STRIPE_FEES,
    SUBSCRIPTION_REVENUE,
    Account,
    connected_balance,
    organizer_payable,
    payouts_in_transit,
    tax_payable,
)
from ledger.posting import Entry
from organizations.models import Organization

_FEES: dict[str, Account] = {PaymentLine.Kind.SERVICE_FEE: PLATFORM_FEES, PaymentLine.Kind.PROCESSING_FEE: PROCESSING_FEES}


def earnings(payment: Payment, lines: Sequence[PaymentLine]) -> list[tuple[Account, int]]:
    """How the captured amount is divided: (account, part ≥ 0), summing to what the buyer paid; the organization's part comes first.

    Tax that the prices hold already is taken from each of them alike: from fees as from the organization's price.
    """
    tax: dict[Account, int] = {}
    fees: dict[Account, int] = {}
    for line in lines:
        if line.kind == PaymentLine.Kind.TAX:
            tax[tax_payable(line.jurisdiction)] = tax.get(tax_payable(line.jurisdiction), 0) + line.amount
        elif line.kind in _FEES:
            fees[_FEES[line.kind]] = fees.get(_FEES[line.kind], 0) + line.amount
    held = sum(line.amount for line in lines if line.kind == PaymentLine.Kind.TAX and line.inclusive)
    if held:
        taxed = {_FEES[line.kind]: line.amount for line in lines if line.kind in _FEES and line.payer == PaymentLine.Payer.ATTENDEE}
        _, *shares = allocate(held, [payment.amount - sum(taxed.values()), *taxed.values()], to=step(payment.currency))
        for account, share in zip(taxed, shares, strict=True):
            fees[account] -= share
    payable = payment.amount - sum(tax.values()) - sum(fees.values())
    return [(organizer_payable(payment.organization_id), payable), *fees.items(), *tax.items()]


def payment_captured(payment: Payment, lines: Sequence[PaymentLine]) -> list[Entry]:
    parts = [Entry(account, -amount) for account, amount in earnings(payment, lines)]
    return [Entry(STRIPE_BALANCE, payment.amount), *parts]


def stripe_fee(fee: int) -> list[Entry]:
    return [Entry(STRIPE_FEES, fee), Entry(STRIPE_BALANCE, -fee)]


def invoice_paid(invoice: Invoice, *, country: str) -> list[Entry]:
    """What a subscription's invoice brought: revenue, and the tax on it, which is owed where the organization is."""
    net = invoice.amount_paid - invoice.tax
    return [Entry(STRIPE_BALANCE, invoice.amount_paid), Entry(SUBSCRIPTION_REVENUE, -net), Entry(tax_payable(country), -invoice.tax)]


def refund_shares(payment: Payment, lines: Sequence[PaymentLine], *, live: int, held: Mapping[Account, int]) -> list[Entry]:
    """What brings each account from what refunds hold of it to its share of all refunds that took money or still may.

    live: the sum of those refunds, minor units; held: what they and earlier ones hold of each account now. Shares are cumulative, so
    whatever was refunded, failed or tried again in between, a full refund closes every account to the last unit.
    """
    parts = earnings(payment, lines)
    targets = allocate(live, [amount for _, amount in parts], to=step(payment.currency)) if live else [0] * len(parts)
    return [Entry(account, target - held.get(account, 0)) for (account, _), target in zip(parts, targets, strict=True)]


def refund_booked(refund: Refund) -> list[Entry]:
    return [Entry(REFUNDS_IN_FLIGHT, refund.amount), Entry(STRIPE_BALANCE, -refund.amount)]


def stripe_fee_passed_on(payment: Payment, share: int) -> list[Entry]:
    """The organization bears the part of Stripe's fee that a refund does not bring back (refund_fee_policy "organizer")."""
    return [Entry(organizer_payable(payment.organization_id), share), Entry(STRIPE_FEES, -share)]


def dispute_moved(movement: DisputeMovement) -> list[Entry]:
    """What Stripe withdrew is held until the bank decides, its fee is spent; what it gave back is as its balance transaction says."""
    return [
        Entry(DISPUTES_HELD, -movement.amount),
        Entry(STRIPE_FEES, movement.fee),
        Entry(STRIPE_BALANCE, movement.amount - movement.fee),
    ]


def dispute_lost(dispute: Dispute, *, amount: int, fee: int) -> list[Entry]:
    """`amount` of what is held is lost: the organization bears it with Stripe's fee, or the platform does, as agreed; < 0 takes it back."""
    if dispute.borne_by == Organization.DisputePolicy.PLATFORM:
        return [Entry(DISPUTE_LOSSES, amount), Entry(DISPUTES_HELD, -amount)]
    payable = organizer_payable(dispute.payment.organization_id)
    return [Entry(payable, amount + fee), Entry(DISPUTES_HELD, -amount), Entry(STRIPE_FEES, -fee)]


def transferred(organization_id: UUID, amount: int) -> list[Entry]:
    """Money moved to the organization's account at Stripe; a negative amount came back."""
    return [Entry(connected_balance(organization_id), amount), Entry(STRIPE_BALANCE, -amount)]


def payout_created(organization_id: UUID, amount: int) -> list[Entry]:
    return [Entry(payouts_in_transit(organization_id), amount), Entry(connected_balance(organization_id), -amount)]


def payout_paid(organization_id: UUID, amount: int) -> list[Entry]:
    return [Entry(organizer_payable(organization_id), amount), Entry(payouts_in_transit(organization_id), -amount)]


def payout_failed(organization_id: UUID, amount: int, *, was_paid: bool) -> list[Entry]:
    """The money is in the connected account again; one that was paid before is owed to the organization again, too."""
    came_from = organizer_payable(organization_id) if was_paid else payouts_in_transit(organization_id)
    return [Entry(connected_balance(organization_id), amount), Entry(came_from, -amount)]
