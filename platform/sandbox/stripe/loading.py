"""Bulk load: finished payments, accounts and movements with given ids and times in one call, as if they had happened then; no webhooks."""

from typing import Any

from sandbox.stripe import balance_transactions, checkout_payment, checkout_sessions, disputes, payment_intents, payment_methods, refunds
from sandbox.stripe.charging import confirm
from sandbox.stripe.connect import accounts
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.routing import Call
from sandbox.stripe.world import Replay, World

type Record = dict[str, Any]


def load(world: World, records: list[Record]) -> Json:
    """Create the objects of every record, all or none. The number of records taken, per type."""
    counts: dict[str, int] = {}
    for record in records:
        kind = record.get("type", "payment")
        make = _MAKERS.get(kind)
        if make is None:
            raise invalid(f"There is no record type {kind}; there are {', '.join(_MAKERS)}.", param="type")
        make(world, record)
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _payment(world: World, record: Record) -> None:
    """A payment that succeeded or was declined (by its card), through Checkout when the record has a `checkout`, with its refunds."""
    suffix, created = record["suffix"], record["created"]
    ids = {prefix: f"{prefix}_{suffix}" for prefix in ("pi", "ch", "txn", "pm", "cs_test")}
    with world.at(Replay(created, ids, record.get("fee"), record.get("events", True))):
        card = checkout_payment.card_named(record.get("card", "4242424242424242"))
        if "checkout" in record:
            session = _open_session(world, record)
            if not card.decline:
                checkout_payment.pay(world, session, card, email=record.get("customer_email", ""), name=record.get("name", ""))
        else:
            intent = payment_intents.new(
                world,
                amount=record["amount"],
                currency=record["currency"],
                metadata=record.get("metadata", {}),
                description=record.get("description"),
                transfer_group=record.get("transfer_group"),
            )
            confirm(world, intent, payment_methods.new(world, card, billing={"email": record.get("customer_email")}))
    for index, refund in enumerate(record.get("refunds", [])):
        _refund(world, record, {"suffix": f"{suffix}r{index + 1}", **refund})
    if "dispute" in record:
        _dispute(world, record, record["dispute"])


def _open_session(world: World, record: Record) -> Json:
    checkout = record["checkout"]
    data = {name: record[name] for name in ("metadata", "description", "transfer_group") if name in record}
    price = {
        "currency": record["currency"],
        "unit_amount": record["amount"],
        "product_data": {"name": checkout.get("name", "Registration")},
    }
    given = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "payment_intent_data": data,
        "success_url": checkout.get("success_url", "https://example.com/"),
        "metadata": checkout.get("metadata", {}),
        **{name: checkout[name] for name in ("cancel_url", "client_reference_id", "expires_at") if name in checkout},
    }
    if record.get("customer_email"):
        given["customer_email"] = record["customer_email"]
    return checkout_sessions.create(world, Call("", given))


def _session(world: World, record: Record) -> None:
    """A Checkout session nobody paid: `status` open or expired."""
    expires_at = record["checkout"].get("expires_at", record["created"] + checkout_sessions.LONGEST)
    with world.at(Replay(record["created"], {"cs_test": f"cs_test_{record['suffix']}"}, events=record.get("events", True))):
        session = _open_session(world, record)
    if record.get("status", "open") == "expired":
        with world.at(Replay(expires_at, events=record.get("events", True))):
            checkout_sessions.end(world, session)


def _refund(world: World, record: Record, given: Record) -> None:
    """`status`: succeeded, pending, requires_action, canceled, failed; `failed_at`: when one that had succeeded failed."""
    suffix, status = given["suffix"], given.get("status", "succeeded")
    events = record.get("events", True)
    charge = world.store.get("charge", f"ch_{record['suffix']}")
    first_status = {"canceled": "pending", "failed": "succeeded" if "failed_at" in given else "pending"}
    outcome = str(first_status.get(status, status))
    with world.at(Replay(given["created"], {"re": f"re_{suffix}", "txn": f"txn_{suffix}"}, events=events)):
        refund = refunds.open_refund(
            world,
            charge,
            refunds.allowed_amount(world, charge, given.get("amount")),
            outcome=outcome,
            metadata=given.get("metadata", {}),
            reason=given.get("reason"),
        )
        if status == "canceled":
            refunds.cancel(world, Call(refund["id"], {}))
    failed_at = float(given["failed_at"] if "failed_at" in given else given["created"])
    if status == "failed":
        with world.at(Replay(failed_at, {"txn": f"txn_{suffix}f"}, events=events)):
            refunds.fail(world, world.store.get("refund", refund["id"]))


def _dispute(world: World, record: Record, given: Record) -> None:
    suffix = given.get("suffix", f"{record['suffix']}d")
    events = record.get("events", True)
    with world.at(Replay(given["created"], {"du": f"du_{suffix}", "txn": f"txn_{suffix}"}, events=events)):
        charge = world.store.get("charge", f"ch_{record['suffix']}")
        dispute = disputes.open_dispute(
            world, charge, reason=given.get("reason", "fraudulent"), inquiry=given.get("inquiry", False), amount=given.get("amount")
        )
    if "outcome" in given:
        with world.at(Replay(given["closed_at"], {"txn": f"txn_{suffix}w"}, events=events)):
            disputes.decide(world, dispute, given["outcome"])


def _account(world: World, record: Record) -> None:
    """A connected account, onboarded with a bank account in each of its `currencies`; `restricted`: papers are due again since."""
    replay = Replay(record["created"], {"acct": f"acct_{record['suffix']}"}, events=record.get("events", True))
    with world.at(replay):
        account = accounts.create(world, Call("", {"country": record["country"], "metadata": record.get("metadata", {})}))
        accounts.complete(world, account, record.get("currencies"))
        if record.get("restricted"):
            accounts.restrict(world, account)


def _movement(world: World, record: Record) -> None:
    """A balance transaction of its own, such as a fee or an adjustment that nothing else explains."""
    with world.at(Replay(record["created"], {"txn": f"txn_{record['suffix']}"}, events=False)):
        balance_transactions.book(
            world,
            record["kind"],
            record["amount"],
            record["currency"],
            source=record.get("source"),
            fee=record.get("fee", 0),
            description=record.get("description"),
        )


_MAKERS = {"payment": _payment, "checkout_session": _session, "account": _account, "balance_transaction": _movement}
