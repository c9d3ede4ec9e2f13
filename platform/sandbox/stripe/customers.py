"""Customers; https://docs.stripe.com/api/customers."""

from sandbox.stripe import payment_methods
from sandbox.stripe.errors import Json, missing_resource
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Email, ListOf, Moment, Record, Text, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

_TEXTS = {"name": 256, "email": 512, "phone": 20, "description": 5000}  # and how many characters they hold
_INVOICES = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}


def create(world: World, call: Call) -> Json:
    if "test_clock" in call.params:
        world.store.require("test_helpers.test_clock", call.params["test_clock"], param="test_clock")
    customer = stamp(
        world,
        "cus",
        "customer",
        address=call.params.get("address"),
        balance=0,
        currency=None,
        default_source=None,
        delinquent=False,
        discount=None,
        invoice_prefix=world.token("invoice_prefix", 8).upper(),
        invoice_settings=_INVOICES,
        metadata=call.metadata(),
        next_invoice_sequence=1,
        preferred_locales=call.params.get("preferred_locales", []),
        shipping=None,
        tax_exempt="none",
        test_clock=call.params.get("test_clock"),
        **{name: call.params.get(name) for name in _TEXTS},
    )
    world.store.insert(customer)
    if "payment_method" in call.params:
        payment_methods.attach(world, Call(call.params["payment_method"], {"customer": customer["id"]}))
    emit(world, "customer.created", customer)
    return customer


def retrieve(world: World, call: Call) -> Json:
    customer = world.store.find("customer", call.id)
    if customer is None and world.store.setting(f"deleted:{call.id}"):
        return {"id": call.id, "object": "customer", "deleted": True}
    return customer or world.store.require("customer", call.id)


def update(world: World, call: Call) -> Json:
    customer = world.store.require("customer", call.id)
    changed = {k: v for k, v in call.params.items() if k != "metadata"}
    if "invoice_settings" in changed:
        changed["invoice_settings"] = {**customer["invoice_settings"], **changed["invoice_settings"]}
    if "metadata" in call.params:
        changed["metadata"] = merged_metadata(customer["metadata"], call.params["metadata"])
    previous = {key: customer[key] for key in changed}
    customer.update(changed)
    world.store.save(customer)
    emit(world, "customer.updated", customer, previous=previous)
    return customer


def delete(world: World, call: Call) -> Json:
    customer = world.store.find("customer", call.id)
    if customer is None:
        raise missing_resource("customer", call.id)
    world.store.delete(call.id)
    world.store.set_setting(f"deleted:{call.id}", True)
    emit(world, "customer.deleted", customer)
    return {"id": call.id, "object": "customer", "deleted": True}


def index(world: World, call: Call) -> Json:
    return page(world, call, "customer", "/v1/customers", equal={"email": call.params.get("email")})


_FIELDS = {
    "expand": EXPAND,
    "metadata": METADATA,
    "address": payment_methods.ADDRESS,
    "preferred_locales": ListOf(field=Text()),
    "invoice_settings": Record(fields={"default_payment_method": Text()}),
    **{name: Text(clearable=True, longest=longest) for name, longest in _TEXTS.items()},
    "email": Email(clearable=True),
}
ROUTES = [
    Route("POST", "/v1/customers", create, {**_FIELDS, "payment_method": Text(), "test_clock": Text()}),
    Route("GET", "/v1/customers", index, {**PAGE, "created": Moment(), "email": Text()}),
    Route("GET", "/v1/customers/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/customers/{id}", update, _FIELDS),
    Route("DELETE", "/v1/customers/{id}", delete),
]
