"""Which Stripe accounts are reconciled, and which account of the ledger stands for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from billing.models import Transfer
from ledger.chart import STRIPE_BALANCE, Account


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """stripe_id: acct_…, "" for the platform's own; organization_id: whose it is, None for the platform's."""

    stripe_id: str = ""
    organization_id: UUID | None = None

    @property
    def books(self) -> Account:
        """The ledger's account that has to hold what Stripe's balance holds."""
        return STRIPE_BALANCE if self.organization_id is None else Account("connected_balance", str(self.organization_id))


PLATFORM = StripeAccount()


def every() -> Iterator[StripeAccount]:
    """The platform's account first, then those that money of ours was ever moved to."""
    yield PLATFORM
    moved = Transfer.objects.filter(state=Transfer.State.SUCCEEDED).order_by("stripe_account_id")
    for stripe_id, organization_id in moved.values_list("stripe_account_id", "account__organization_id").distinct():
        yield StripeAccount(stripe_id, organization_id)
