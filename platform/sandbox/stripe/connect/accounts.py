"""Connected accounts; https://docs.stripe.com/api/accounts. The page behind the link, or the control API, completes their onboarding."""

from typing import Any

from sandbox.stripe import account as account_page
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page, short_list
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Anything, Email, Moment, Text, Url, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import ACCOUNT_ID, World, stamp

CURRENCIES = {"US": "usd", "GB": "gbp", "JP": "jpy", "KW": "kwd", "CH": "chf", "CA": "cad"}  # elsewhere euro
_DUE = ["business_profile.url", "external_account", "individual.verification.document"]
LINK_LIVES = 300  # seconds


def create(world: World, call: Call) -> Json:
    country = str(call.params.get("country", "US"))
    account = stamp(
        world,
        "acct",
        "account",
        business_profile=_profile(call.params.get("business_profile") or {}),
        business_type=None,
        capabilities={"transfers": "inactive"},
        charges_enabled=False,
        controller={
            "fees": {"payer": "application"},
            "is_controller": True,
            "losses": {"payments": "application"},
            "requirement_collection": "stripe",
            "stripe_dashboard": {"type": "express"},
            "type": "application",
        },
        country=country,
        default_currency=CURRENCIES.get(country, "eur"),
        details_submitted=False,
        email=call.params.get("email"),
        external_accounts=_banks([]),
        metadata=call.metadata(),
        payouts_enabled=False,
        requirements=_requirements(_DUE),
        type="express",
    )
    del account["livemode"]  # this object has none
    return world.store.insert(account)


def _profile(given: Json) -> Json:
    return {"mcc": None, "name": given.get("name"), "support_address": None, "support_email": None, "support_phone": None,
            "support_url": None, "url": given.get("url")}  # fmt: skip


def _requirements(due: list[str], reason: str | None = None) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": reason or ("requirements.past_due" if due else None),
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def _banks(data: list[Json]) -> Json:
    return short_list(data, "/v1/accounts/external_accounts")


def complete(world: World, account: Json, currencies: list[str] | None = None) -> Json:
    """Everything Stripe asks for was given: the account can be paid out, in each of the currencies."""
    wanted = [one.lower() for one in currencies or [account["default_currency"]]]
    data = [_bank(world, account, currency) for currency in wanted]
    account.update(
        capabilities={"transfers": "active"},
        charges_enabled=True,
        details_submitted=True,
        payouts_enabled=True,
        external_accounts=_banks(data),
        requirements=_requirements([]),
    )
    return _told(world, account)


def _bank(world: World, account: Json, currency: str) -> Json:
    bank = stamp(
        world,
        "ba",
        "bank_account",
        account=account["id"],
        account_holder_name=None,
        account_holder_type=None,
        account_type=None,
        available_payout_methods=["standard"],
        bank_name="STRIPE TEST BANK",
        country=account["country"],
        currency=currency,
        default_for_currency=True,
        fingerprint=None,
        last4="6789",
        metadata={},
        routing_number="110000000",
        status="new",
    )
    return {name: value for name, value in bank.items() if name not in ("created", "livemode")}


def restrict(world: World, account: Json) -> Json:
    """Stripe asks for papers again: nothing is paid out until they come."""
    account.update(
        capabilities={"transfers": "inactive"}, payouts_enabled=False, requirements=_requirements(["individual.verification.document"])
    )
    return _told(world, account)


def _told(world: World, account: Json) -> Json:
    emit(world, "account.updated", world.store.save(account), account=account["id"])
    return account


def deauthorize(world: World, account: Json) -> Json:
    """The organization took the platform's access away."""
    application = {"id": "ca_sandbox", "object": "application", "name": "CPD platform"}
    emit(world, "account.application.deauthorized", application, account=account["id"])
    world.store.delete(account["id"])
    return account


def retrieve(world: World, call: Call) -> Json:
    if call.id == ACCOUNT_ID:
        return account_page.current(world, call)
    return world.store.require("account", call.id)


def update(world: World, call: Call) -> Json:
    account = retrieve(world, call)
    if "metadata" in call.params:
        account["metadata"] = merged_metadata(account["metadata"], call.params["metadata"])
    if "email" in call.params:
        account["email"] = call.params["email"]
    return _told(world, account)


def remove(world: World, call: Call) -> Json:
    world.store.delete(retrieve(world, call)["id"])
    return {"id": call.id, "object": "account", "deleted": True}


def index(world: World, call: Call) -> Json:
    return page(world, call, "account", "/v1/accounts")


def link(world: World, call: Call) -> Json:
    account = world.store.require("account", call.params["account"], param="account")
    if call.params["type"] not in ("account_onboarding", "account_update"):
        raise invalid("Invalid type: must be one of account_onboarding, account_update", param="type")
    world.store.set_setting(f"onboarding:{account['id']}", {name: call.params.get(name) for name in ("return_url", "refresh_url")})
    now = int(world.now())
    url = f"{world.public_url}/c/connect/{account['id']}"
    return {"object": "account_link", "created": now, "expires_at": now + LINK_LIVES, "url": url}


_ANYTHING: dict[str, Any] = {name: Anything() for name in ("business_profile", "capabilities", "controller", "settings")}
_GIVEN = {"expand": EXPAND, "metadata": METADATA, "email": Email(), **_ANYTHING}
ROUTES = [
    Route("POST", "/v1/accounts", create, {**_GIVEN, "country": Text(longest=2), "type": Text()}),
    Route("GET", "/v1/accounts", index, {**PAGE, "created": Moment()}),
    Route("GET", "/v1/accounts/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/accounts/{id}", update, _GIVEN),
    Route("DELETE", "/v1/accounts/{id}", remove),
    Route(
        "POST",
        "/v1/account_links",
        link,
        {
            "expand": EXPAND,
            "account": Text(required=True),
            "type": Text(required=True),
            "return_url": Url(required=True),
            "refresh_url": Url(required=True),
        },
    ),
]
