"""The platform's own account; https://docs.stripe.com/api/accounts."""

from sandbox.stripe.errors import Json
from sandbox.stripe.params import EXPAND
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import ACCOUNT_ID, World


def current(world: World, call: Call) -> Json:
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "platform@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


ROUTES = [
    Route("GET", "/v1/account", current, {"expand": EXPAND}),
]
