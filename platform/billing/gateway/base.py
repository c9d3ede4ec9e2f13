"""What billing asks of Stripe, in its own words; one implementation speaks Stripe's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from billing.gateway.plans import GatewayCustomer, GatewayInvoice, GatewayPrice, GatewayProduct, GatewaySubscription


class GatewayError(Exception):
    """Something other than an answer came back."""

    def __init__(self, message: str, *, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class GatewayRefused(GatewayError):
    """A definite no (402 and other 4xx): nothing happened, and the same request would be refused again."""


class GatewayBusy(GatewayError):
    """Not now (429, a lock, the same key in flight): try again with the same key."""


class GatewayUnknown(GatewayError):
    """The answer was lost (a time-out, a reset, a 5xx): it may have happened. answered: it was a 5xx, which Stripe stores for the key."""

    def __init__(self, message: str, *, code: str = "", answered: bool = False) -> None:
        self.answered = answered
        super().__init__(message, code=code)


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """amount, fee: minor units of `currency`; amount is signed, fee is what Stripe kept."""

    id: str
    amount: int
    fee: int
    currency: str
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayMovement:
    """A balance transaction of Stripe's list; amount, fee: minor units of `currency` (upper case). claim: "payment:<id>" or
    "refund:<id>" where the source's metadata names one of ours, "transfer:tr_…" or "reversal:trr_…" for what a connected account got.
    """

    id: str
    type: str
    reporting_category: str
    amount: int
    fee: int
    currency: str
    source: str
    created_at: datetime
    available_at: datetime
    claim: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class MovementPage:
    """Newest first. has_more: older ones follow after the last."""

    movements: list[GatewayMovement]
    has_more: bool


@dataclass(frozen=True, slots=True)
class GatewayIntent:
    """A payment intent as Stripe has it now; amount_received in minor units of `currency` (upper case)."""

    id: str
    status: str
    amount_received: int
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    charge_id: str | None = None
    balance_transaction: BalanceTransaction | None = None
    error: str = ""
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewaySession:
    """A Checkout session; status open, complete or expired; payment_status paid, unpaid or no_payment_required."""

    id: str
    status: str
    payment_status: str
    url: str | None
    expires_at: datetime
    payment_intent_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    id: str
    status: str
    amount: int
    currency: str
    charge_id: str | None
    payment_intent_id: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    balance_transaction_id: str | None = None
    failure_balance_transaction_id: str | None = None
    failure_reason: str = ""
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayDispute:
    """movements: what it did to the balance so far; an inquiry moves nothing."""

    id: str
    status: str
    amount: int
    currency: str
    reason: str
    charge_id: str
    payment_intent_id: str | None
    due_by: datetime | None
    submission_count: int = 0
    opened_at: datetime | None = None
    movements: tuple[BalanceTransaction, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayFile:
    id: str


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """An event from Stripe's list, body as it would have been delivered."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """A connected account; currencies: of its bank accounts, upper case; requirements: Stripe's lists of what is missing, by name."""

    id: str
    country: str
    default_currency: str
    currencies: tuple[str, ...]
    charges_enabled: bool
    transfers_enabled: bool
    payouts_enabled: bool
    details_submitted: bool
    requirements: Mapping[str, list[str]]
    disabled_reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayTransfer:
    id: str
    amount: int
    currency: str
    destination: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    balance_transaction_id: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayReversal:
    id: str
    transfer_id: str
    amount: int
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    balance_transaction_id: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayPayout:
    id: str
    status: str
    amount: int
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    failure_message: str = ""
    arrives_at: datetime | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What Stripe holds in one currency, minor units."""

    available: int
    pending: int


class PaymentGateway(Protocol):
    """Every method raises GatewayRefused, GatewayBusy or GatewayUnknown, and RuntimeError inside an open transaction."""

    def create_checkout_session(self, parameters: dict[str, Any], *, key: str) -> GatewaySession: ...
    def retrieve_checkout_session(self, session_id: str) -> GatewaySession: ...
    def expire_checkout_session(self, session_id: str, *, key: str) -> GatewaySession: ...
    def retrieve_intent(self, intent_id: str) -> GatewayIntent: ...
    def intent_of(self, charge_id: str) -> GatewayIntent | None:
        """The intent that made this charge; None for a charge without one."""

    def receipt_url(self, charge_id: str) -> str | None:
        """Where Stripe shows the charge's receipt now, refunds included; None while it has not succeeded. Never kept: it may change."""

    def create_refund(self, parameters: dict[str, Any], *, key: str) -> GatewayRefund: ...
    def retrieve_refund(self, refund_id: str) -> GatewayRefund: ...
    def refunds_of(self, intent_id: str) -> Iterator[GatewayRefund]: ...
    def retrieve_dispute(self, dispute_id: str) -> GatewayDispute: ...
    def update_dispute(self, dispute_id: str, parameters: dict[str, Any], *, key: str) -> GatewayDispute: ...
    def close_dispute(self, dispute_id: str, *, key: str) -> GatewayDispute: ...
    def upload_evidence(self, name: str, content: bytes, *, key: str) -> GatewayFile: ...
    def balance(self) -> dict[str, int]:
        """Available plus pending per currency, minor units."""

    def holdings(self, *, account: str | None = None) -> dict[str, Held]:
        """Per currency what the connected account holds; account None: the platform."""

    def create_account(self, parameters: dict[str, Any], *, key: str) -> GatewayAccount: ...
    def retrieve_account(self, account_id: str) -> GatewayAccount: ...
    def accounts_since(self, moment: datetime) -> Iterator[GatewayAccount]: ...
    def create_account_link(self, parameters: dict[str, Any], *, key: str) -> str: ...
    def create_transfer(self, parameters: dict[str, Any], *, key: str) -> GatewayTransfer: ...
    def retrieve_transfer(self, transfer_id: str) -> GatewayTransfer: ...
    def transfers_of(self, group: str) -> Iterator[GatewayTransfer]: ...
    def create_reversal(self, transfer_id: str, parameters: dict[str, Any], *, key: str) -> GatewayReversal: ...
    def reversals_of(self, transfer_id: str) -> Iterator[GatewayReversal]: ...
    def create_payout(self, parameters: dict[str, Any], *, account: str, key: str) -> GatewayPayout: ...
    def retrieve_payout(self, payout_id: str, *, account: str) -> GatewayPayout: ...
    def payouts_since(self, moment: datetime, *, account: str) -> Iterator[GatewayPayout]: ...

    def balance_transactions(self, *, account: str, since: datetime | None, after: str) -> MovementPage:
        """A page of movements of this account ("": the platform's), older than the movement `after` ("": from the newest on)."""

    def create_product(self, parameters: dict[str, Any], *, key: str) -> GatewayProduct: ...
    def update_product(self, product_id: str, parameters: dict[str, Any], *, key: str) -> GatewayProduct: ...
    def create_price(self, parameters: dict[str, Any], *, key: str) -> GatewayPrice: ...
    def update_price(self, price_id: str, parameters: dict[str, Any], *, key: str) -> GatewayPrice: ...
    def price_with(self, lookup_key: str) -> GatewayPrice | None:
        """The price that was made with this lookup key."""

    def create_customer(self, parameters: dict[str, Any], *, key: str) -> GatewayCustomer: ...
    def create_portal_session(self, parameters: dict[str, Any], *, key: str) -> str: ...
    def retrieve_subscription(self, subscription_id: str) -> GatewaySubscription: ...
    def update_subscription(self, subscription_id: str, parameters: dict[str, Any], *, key: str) -> GatewaySubscription: ...
    def retrieve_invoice(self, invoice_id: str) -> GatewayInvoice: ...
    def events_since(self, moment: datetime, *, account: str = "") -> Iterator[GatewayEvent]:
        """The platform's own, or those of one connected account, which each name it."""
