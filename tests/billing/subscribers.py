"""Subscribing as a person does it: the page, the card, what Stripe says about it."""

from collections.abc import Callable
from typing import Any

import stripe

from audit.actor import Actor
from billing import subscribing
from billing.models import PlanAccess, Subscription
from sandbox.stripe.server import Sandbox
from tests.factories.people import Personas

BACK = "https://cpd.example/console/plans/"


def ask(people: Personas, code: str = "small", by: Actor | None = None, **values: Any) -> str | None:
    given = {"plan": code, "interval": "month", "return_url": BACK, **values}
    return subscribing.checkout_url(organization_id=people.organization.pk, by=by or people.as_alice, **given)


def pay(sandbox: Sandbox, url: str | None) -> dict[str, Any]:
    assert url is not None
    paid: dict[str, Any] = sandbox.control.pay(url.rsplit("/", 1)[1])["session"]
    return paid


def heard(webhooks: Callable[[], int], run_jobs: Callable[..., int]) -> None:
    webhooks()
    run_jobs(delayed=True)


def standing(people: Personas) -> PlanAccess:
    return PlanAccess.objects.select_related("plan").get(organization=people.organization)


def use_card(sandbox: Sandbox, subscription: Subscription, card: str) -> None:
    """The subscription is paid by another card from now on; card: a token of Stripe's."""
    client = stripe.StripeClient("sk_test_sandbox", base_addresses={"api": sandbox.url})
    given: Any = {"default_payment_method": card}
    client.v1.subscriptions.update(subscription.stripe_subscription_id, given)
