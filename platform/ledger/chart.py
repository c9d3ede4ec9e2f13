"""The chart of accounts. Debits are positive, credits negative; an account may be kept per owner (an organization, a jurisdiction)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    REVENUE = "revenue"
    EXPENSE = "expense"


@dataclass(frozen=True, slots=True)
class AccountType:
    code: str
    kind: Kind
    owner: str  # what an owner is: "organization", "jurisdiction", or "" where the account is one
    meaning: str


CHART: dict[str, AccountType] = {
    account.code: account
    for account in (
        AccountType("stripe_balance", Kind.ASSET, "", "Money in the platform's Stripe balance, available and pending."),
        AccountType("connected_balance", Kind.ASSET, "organization", "Money in the organization's connected account, not yet in its bank."),
        AccountType("organizer_payable", Kind.LIABILITY, "organization", "Earned by the organization, not yet paid out."),
        AccountType("platform_fees", Kind.REVENUE, "", "Our service fees."),
        AccountType("processing_fees", Kind.REVENUE, "", "Processing fees charged to buyers."),
        AccountType("subscription_revenue", Kind.REVENUE, "", "Plans and seats."),
        AccountType("stripe_fees", Kind.EXPENSE, "", "What Stripe keeps."),
        AccountType("tax_payable", Kind.LIABILITY, "jurisdiction", "Tax collected, owed to the jurisdiction."),
        AccountType("refunds_in_flight", Kind.LIABILITY, "", "Refunds accepted by us, not yet out of Stripe's balance."),
        AccountType("disputes_held", Kind.ASSET, "", "Withdrawn by Stripe while disputed."),
        AccountType("payouts_in_transit", Kind.ASSET, "organization", "On its way to the organization's bank."),
        AccountType("dispute_losses", Kind.EXPENSE, "", "Lost disputes that the platform bears."),
        AccountType("platform_bank", Kind.ASSET, "", "The platform's own payouts and top-ups."),
        AccountType("write_off", Kind.EXPENSE, "", "Given up by a named person, with a reason."),
        AccountType("reconciliation_suspense", Kind.ASSET, "", "Not explained yet; opened by a named difference."),
    )
}


@dataclass(frozen=True, slots=True)
class Account:
    """One account: its type and, where the type has owners, whose. Raises ValueError where the two do not fit."""

    code: str
    owner: str = ""

    def __post_init__(self) -> None:
        if self.code not in CHART:
            raise ValueError(f"no account {self.code!r} in the chart")
        if bool(CHART[self.code].owner) != bool(self.owner):
            raise ValueError(f"account {self.code!r}: an owner is {'needed' if CHART[self.code].owner else 'not possible'}")

    def __str__(self) -> str:
        return f"{self.code}:{self.owner}" if self.owner else self.code


STRIPE_BALANCE = Account("stripe_balance")
STRIPE_FEES = Account("stripe_fees")
PLATFORM_FEES = Account("platform_fees")
PROCESSING_FEES = Account("processing_fees")
SUBSCRIPTION_REVENUE = Account("subscription_revenue")
REFUNDS_IN_FLIGHT = Account("refunds_in_flight")
DISPUTES_HELD = Account("disputes_held")
DISPUTE_LOSSES = Account("dispute_losses")
RECONCILIATION_SUSPENSE = Account("reconciliation_suspense")
WRITE_OFF = Account("write_off")
PLATFORM_BANK = Account("platform_bank")


def organizer_payable(organization_id: UUID) -> Account:
    return Account("organizer_payable", str(organization_id))


def connected_balance(organization_id: UUID) -> Account:
    return Account("connected_balance", str(organization_id))


def payouts_in_transit(organization_id: UUID) -> Account:
    return Account("payouts_in_transit", str(organization_id))


def tax_payable(jurisdiction: str) -> Account:
    return Account("tax_payable", jurisdiction)
