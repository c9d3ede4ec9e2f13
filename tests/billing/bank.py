"""Stripe with connected accounts, as people and its clock use it."""

import stripe

from billing import connect, payout_submission, stripe_balances
from billing.gateway.signatures import BadSignature
from billing.models import ConnectedAccount, PayoutRequest
from billing.webhooks import receiving
from organizations.models import Organization
from sandbox.stripe.server import Sandbox
from tests.draining import drain
from tests.factories.billing import SYSTEM, payment_at_stripe
from tests.factories.organizations import OrganizationFactory
from tests.factories.payouts import approved_payout, now

PAGES = {"return_url": "https://cpd.example/back", "refresh_url": "https://cpd.example/again"}
AT_ONCE = "4000000000000077"


class Bank:
    """Stripe with both kinds of endpoints, and its clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.control = sandbox, sandbox.control

    def deliver(self) -> int:
        def post(url: str, headers: dict[str, str], body: bytes) -> int:
            endpoint = "connect" if url.endswith("/connect") else "platform"
            try:
                receiving.receive(endpoint=endpoint, body=body, signature=headers["Stripe-Signature"])
            except BadSignature:
                return 400
            return 200

        return self.sandbox.deliver(post)

    def work(self, *, delayed: bool = False) -> None:
        while self.deliver() + drain(delayed=delayed):
            pass

    def pass_days(self, days: float) -> None:
        self.control.advance(days * 86_400)
        self.work(delayed=True)

    def account(self, organization: Organization, *currencies: str) -> ConnectedAccount:
        """The organization's account, opened and onboarded as people do it."""
        assert connect.onboarding_url(organization_id=organization.pk, by=SYSTEM, **PAGES)
        made = ConnectedAccount.objects.get(organization=organization)
        self.control.account(made.stripe_account_id or "", "complete", currencies=[one.lower() for one in currencies or ("USD",)])
        self.work()
        return ConnectedAccount.objects.get(organization=organization)

    def held(self, account: ConnectedAccount, currency: str = "usd") -> int:
        found = self.client().v1.balance.retrieve({}, {"stripe_account": account.stripe_account_id or ""})
        return sum(part.amount for part in found.available if part.currency == currency)

    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient("sk_test_sandbox", base_addresses={"api": self.sandbox.url})

    def transfers(self) -> int:
        return len(self.client().v1.transfers.list().data)


def earned(bank: Bank, amount: int = 50_000, currency: str = "USD") -> Organization:
    """An organization with an account, that earned this much, all of it released and at Stripe."""
    organization = OrganizationFactory.create()
    bank.account(organization, currency)
    payment_at_stripe(bank.sandbox, card=AT_ONCE, amount=amount, currency=currency, organization=organization)
    payment_at_stripe(bank.sandbox, card=AT_ONCE, amount=amount, currency=currency)  # Stripe's fee has to come from somewhere
    stripe_balances.read_all()
    bank.work()
    return organization


def submitted(payout: PayoutRequest) -> PayoutRequest:
    payout_submission.submit(payout_request_id=payout.pk)
    return now(payout)


def stranded(bank: Bank) -> tuple[Organization, ConnectedAccount]:
    """A payout came back: its money lies in the connected account."""
    organization = earned(bank)
    account = ConnectedAccount.objects.get(organization=organization)
    payout = submitted(approved_payout(organization))
    bank.control.fail_payout(now(payout).stripe_payout_id or "", account=account.stripe_account_id or "")
    bank.work()
    return organization, account
