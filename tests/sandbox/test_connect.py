"""Connected accounts: onboarding, transfers and their reversals, payouts and what becomes of them; every cent stands somewhere."""

import json
from typing import Any

import pytest
import stripe

from sandbox.stripe.server import Sandbox
from tests.sandbox.paying import balance, booked_intent

LINK = {"type": "account_onboarding", "return_url": "https://cpd.example/back", "refresh_url": "https://cpd.example/again"}


def opened(sandbox: Sandbox, client: stripe.StripeClient, *currencies: str) -> str:
    """An account that lacks nothing."""
    account = client.v1.accounts.create({"country": "US", "metadata": {"account_id": "1"}}).id
    sandbox.control.account(account, "complete", currencies=list(currencies or ("usd",)))
    return account


def held(client: stripe.StripeClient, account: str, currency: str = "usd") -> int:
    found = client.v1.balance.retrieve({}, {"stripe_account": account})
    return sum(part.amount for part in [*found.available, *found.pending] if part.currency == currency)


def funded(sandbox: Sandbox, client: stripe.StripeClient) -> None:
    booked_intent(sandbox, client)
    sandbox.control.advance(3 * 86_400)


def moved(sandbox: Sandbox, client: stripe.StripeClient, amount: int = 2000) -> tuple[str, stripe.Transfer]:
    funded(sandbox, client)
    account = opened(sandbox, client)
    given: Any = {"amount": amount, "currency": "usd", "destination": account, "transfer_group": "g1"}
    return account, client.v1.transfers.create(given)


class TestAccounts:
    def test_lack_everything_until_they_are_onboarded(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        made = client.v1.accounts.create({"country": "JP"})
        assert (made.payouts_enabled, made.default_currency, made.capabilities.transfers) == (False, "jpy", "inactive")
        assert made.requirements.past_due
        url = client.v1.account_links.create({"account": made.id, **LINK}).url
        assert url.endswith(f"/c/connect/{made.id}")

        whole = sandbox.control.account(made.id, "complete", currencies=["jpy", "usd"])
        assert (whole["payouts_enabled"], [bank["currency"] for bank in whole["external_accounts"]["data"]]) == (True, ["jpy", "usd"])
        sandbox.control.account(made.id, "restricted")
        assert client.v1.accounts.retrieve(made.id).payouts_enabled is False
        assert [each.id for each in client.v1.accounts.list().data] == [made.id]

    def test_are_changed_and_taken_away(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account = opened(sandbox, client)
        assert client.v1.accounts.update(account, {"metadata": {"b": "2"}, "email": "a@b.example"}).metadata.to_dict()["b"] == "2"
        sandbox.control.account(account, "deauthorized")
        with pytest.raises(stripe.PermissionError):
            client.v1.balance.retrieve({}, {"stripe_account": account})
        assert client.v1.accounts.delete(opened(sandbox, client)).deleted is True

    def test_have_no_payments_of_their_own(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account = opened(sandbox, client)
        with pytest.raises(stripe.InvalidRequestError, match="for the platform only"):
            client.v1.refunds.list({}, {"stripe_account": account})


class TestTransfers:
    def test_move_money_from_one_balance_to_the_other(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        before_funds = 4825
        account, transfer = moved(sandbox, client)
        assert (balance(client), held(client, account)) == (before_funds - 2000, 2000)
        assert [each.id for each in client.v1.transfers.list({"transfer_group": "g1"}).data] == [transfer.id]
        types = [each.type for each in client.v1.balance_transactions.list({}, {"stripe_account": account}).data]
        assert types == ["payment"]

    def test_never_move_more_than_is_there(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, _ = moved(sandbox, client)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.transfers.create({"amount": 9000, "currency": "usd", "destination": account})
        assert refused.value.code == "balance_insufficient"
        sandbox.control.account(account, "restricted")
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.transfers.create({"amount": 1, "currency": "usd", "destination": account})
        assert refused.value.code == "insufficient_capabilities_for_transfer"

    def test_are_reversed_in_parts(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, transfer = moved(sandbox, client)
        client.v1.transfers.reversals.create(transfer.id, {"amount": 500})
        client.v1.transfers.reversals.create(transfer.id)
        again = client.v1.transfers.retrieve(transfer.id)
        assert (again.amount_reversed, again.reversed, held(client, account), balance(client)) == (2000, True, 0, 4825)
        assert [each.amount for each in client.v1.transfers.reversals.list(transfer.id).data] == [1500, 500]
        with pytest.raises(stripe.InvalidRequestError, match="greater than unreversed"):
            client.v1.transfers.reversals.create(transfer.id, {"amount": 1})

    def test_are_reversed_only_as_far_as_the_account_holds(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, transfer = moved(sandbox, client)
        client.v1.payouts.create({"amount": 1500, "currency": "usd"}, {"stripe_account": account})
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.transfers.reversals.create(transfer.id, {"amount": 600})
        assert refused.value.code == "balance_insufficient"


class TestPayouts:
    def paid_out(self, client: stripe.StripeClient, account: str, amount: int = 1500) -> stripe.Payout:
        return client.v1.payouts.create({"amount": amount, "currency": "usd"}, {"stripe_account": account})

    def status(self, client: stripe.StripeClient, account: str, payout: stripe.Payout) -> str:
        return str(client.v1.payouts.retrieve(payout.id, {}, {"stripe_account": account}).status)

    def test_reach_the_bank_by_the_clock(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, _ = moved(sandbox, client)
        payout = self.paid_out(client, account)
        assert (payout.status, held(client, account)) == ("pending", 500)
        sandbox.control.advance(5)
        assert self.status(client, account, payout) == "in_transit"
        sandbox.control.advance(3 * 86_400)
        assert self.status(client, account, payout) == "paid"
        assert [each.id for each in client.v1.payouts.list({}, {"stripe_account": account}).data] == [payout.id]

    @pytest.mark.parametrize("days", [0, 3])
    def test_come_back_when_the_bank_says_no(self, sandbox: Sandbox, client: stripe.StripeClient, days: int) -> None:
        account, _ = moved(sandbox, client)
        payout = self.paid_out(client, account)
        sandbox.control.advance(days * 86_400)
        failed = sandbox.control.fail_payout(payout.id, account=account)
        assert (failed["status"], failed["failure_code"], held(client, account)) == ("failed", "account_closed", 2000)
        sandbox.control.advance(9 * 86_400)
        assert self.status(client, account, payout) == "failed"

    def test_are_cancelled_while_they_wait(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, _ = moved(sandbox, client)
        payout = self.paid_out(client, account)
        client.v1.payouts.cancel(payout.id, {}, {"stripe_account": account})
        assert (self.status(client, account, payout), held(client, account)) == ("canceled", 2000)
        with pytest.raises(stripe.InvalidRequestError, match="no longer be canceled"):
            client.v1.payouts.cancel(payout.id, {}, {"stripe_account": account})

    def test_need_money_a_bank_and_an_open_account(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        account, _ = moved(sandbox, client)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            self.paid_out(client, account, 2001)
        assert refused.value.code == "balance_insufficient"
        with pytest.raises(stripe.InvalidRequestError, match="external accounts in that currency"):
            client.v1.payouts.create({"amount": 1, "currency": "eur"}, {"stripe_account": account})
        sandbox.control.account(account, "restricted")
        with pytest.raises(stripe.InvalidRequestError) as refused:
            self.paid_out(client, account)
        assert refused.value.code == "payouts_not_allowed"


class TestEvents:
    def test_go_to_endpoints_for_connected_accounts_alone(self) -> None:
        with Sandbox(deliver=False) as sandbox:
            self.heard(sandbox, stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url}))

    def heard(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        events: Any = ["*"]
        for url, connect in (("http://a.example/platform", False), ("http://a.example/connect", True)):
            client.v1.webhook_endpoints.create({"url": url, "enabled_events": events, "connect": connect})
        moved(sandbox, client)
        heard: list[tuple[str, str, str]] = []

        def post(url: str, _headers: dict[str, str], body: bytes) -> int:
            event = json.loads(body)
            heard.append((url.rpartition("/")[2], event["type"], event.get("account", "")[:5]))
            return 200

        sandbox.deliver(post)
        assert ("connect", "account.updated", "acct_") in heard
        assert ("platform", "transfer.created", "") in heard
        assert {where for where, kind, _ in heard if kind == "account.updated"} == {"connect"}
        assert {where for where, kind, _ in heard if kind == "transfer.created"} == {"platform"}
