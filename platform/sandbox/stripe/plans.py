"""Products and recurring prices; https://docs.stripe.com/api/products, https://docs.stripe.com/api/prices."""

from sandbox.stripe import currencies
from sandbox.stripe.errors import Json, StripeError, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Flag, ListOf, Moment, Record, Text, Url, Whole, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

_INTERVALS = ("day", "week", "month", "year")


def create_product(world: World, call: Call) -> Json:
    wanted = call.params.get("id")
    if wanted and world.store.named(wanted) is not None:
        raise StripeError(400, "invalid_request_error", "Product already exists.", code="resource_already_exists", param="id")
    product = stamp(
        world,
        "prod",
        "product",
        active=call.params.get("active", True),
        default_price=None,
        description=call.params.get("description"),
        images=[],
        marketing_features=[],
        metadata=call.metadata(),
        name=call.params["name"],
        package_dimensions=None,
        shippable=None,
        statement_descriptor=None,
        tax_code=call.params.get("tax_code"),
        unit_label=call.params.get("unit_label"),
        updated=int(world.now()),
        url=call.params.get("url"),
    )
    product["id"] = wanted or product["id"]
    world.store.insert(product)
    emit(world, "product.created", product)
    return product


def create_price(world: World, call: Call) -> Json:
    """Its amount, currency and interval never change, as at Stripe."""
    product = world.store.require("product", call.params["product"], param="product")
    currency, key = currencies.known(call.params["currency"]), call.params.get("lookup_key")
    if key:
        _free_lookup_key(world, key, transfer=call.params.get("transfer_lookup_key", False))
    currencies.check_step(call.params["unit_amount"], currency, param="unit_amount")
    recurring = call.params["recurring"]
    price = stamp(
        world,
        "price",
        "price",
        active=call.params.get("active", True),
        billing_scheme="per_unit",
        currency=currency,
        custom_unit_amount=None,
        lookup_key=key,
        metadata=call.metadata(),
        nickname=call.params.get("nickname"),
        product=product["id"],
        recurring={
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "usage_type": "licensed",
        },
        tax_behavior=call.params.get("tax_behavior", "unspecified"),
        tiers_mode=None,
        transform_quantity=None,
        type="recurring",
        unit_amount=call.params["unit_amount"],
        unit_amount_decimal=str(call.params["unit_amount"]),
    )
    world.store.insert(price)
    emit(world, "price.created", price)
    return price


def _free_lookup_key(world: World, key: str, *, transfer: bool) -> None:
    for other in world.store.select("price", " AND json_extract(body, '$.lookup_key') = ?", (key,)):
        if not transfer:
            message = f"A price (`{other['id']}`) already uses that lookup key."
            raise invalid(message, param="lookup_key", code="resource_already_exists")
        world.store.save({**other, "lookup_key": None})


def update_product(world: World, call: Call) -> Json:
    return _update(world, call, "product", updated=int(world.now()))


def update_price(world: World, call: Call) -> Json:
    return _update(world, call, "price")


def _update(world: World, call: Call, kind: str, **also: int) -> Json:
    found = world.store.require(kind, call.id)
    changed = {**{k: v for k, v in call.params.items() if k != "metadata"}, **also}
    if "metadata" in call.params:
        changed["metadata"] = merged_metadata(found["metadata"], call.params["metadata"])
    previous = {key: found[key] for key in changed if found[key] != changed[key]}
    found.update(changed)
    world.store.save(found)
    emit(world, f"{kind}.updated", found, previous=previous)
    return found


def list_products(world: World, call: Call) -> Json:
    return page(world, call, "product", "/v1/products", equal={"active": call.params.get("active")})


def list_prices(world: World, call: Call) -> Json:
    where, values = "", ()  # type: tuple[str, tuple[object, ...]]
    keys = call.params.get("lookup_keys", [])
    if keys:
        where, values = f" AND json_extract(body, '$.lookup_key') IN ({', '.join(['?'] * len(keys))})", tuple(keys)
    equal = {"product": call.params.get("product"), "active": call.params.get("active")}
    return page(world, call, "price", "/v1/prices", equal=equal, where=where, values=values)


_PRODUCT = {
    "expand": EXPAND,
    "metadata": METADATA,
    "active": Flag(),
    "description": Text(clearable=True),
    "name": Text(),
    "tax_code": Text(clearable=True),
    "unit_label": Text(clearable=True),
    "url": Url(clearable=True),
}
_PRICE = {
    "expand": EXPAND,
    "metadata": METADATA,
    "active": Flag(),
    "lookup_key": Text(longest=200),
    "nickname": Text(clearable=True),
    "transfer_lookup_key": Flag(),
    "tax_behavior": Text(choices=("exclusive", "inclusive", "unspecified")),
}
_RECURRING = Record(fields={"interval": Text(required=True, choices=_INTERVALS), "interval_count": Whole(least=1)}, required=True)
ROUTES = [
    Route("POST", "/v1/products", create_product, {**_PRODUCT, "id": Text(), "name": Text(required=True)}),
    Route("GET", "/v1/products", list_products, {**PAGE, "created": Moment(), "active": Flag()}),
    Route("GET", "/v1/products/{id}", lambda world, call: world.store.require("product", call.id), {"expand": EXPAND}),
    Route("POST", "/v1/products/{id}", update_product, _PRODUCT),
    Route(
        "POST",
        "/v1/prices",
        create_price,
        {
            **_PRICE,
            "currency": Text(required=True),
            "product": Text(required=True),
            "unit_amount": Whole(required=True, least=0),
            "recurring": _RECURRING,
        },
    ),
    Route(
        "GET",
        "/v1/prices",
        list_prices,
        {**PAGE, "created": Moment(), "active": Flag(), "product": Text(), "lookup_keys": ListOf(field=Text(), most=10)},
    ),
    Route("GET", "/v1/prices/{id}", lambda world, call: world.store.require("price", call.id), {"expand": EXPAND}),
    Route("POST", "/v1/prices/{id}", update_price, _PRICE),
]
