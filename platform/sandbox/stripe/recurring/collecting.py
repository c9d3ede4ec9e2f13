"""Taking what an invoice asks for: one intent for each invoice, tried again with each attempt; https://docs.stripe.com/api/invoices/pay."""

from sandbox.stripe import charging, payment_intents, payment_methods
from sandbox.stripe.errors import Json
from sandbox.stripe.events import emit
from sandbox.stripe.expanding import part
from sandbox.stripe.listing import short_list
from sandbox.stripe.world import World, stamp


def collect(world: World, invoice: Json, method: Json | None, *, authenticated: bool = False) -> bool:
    """Try to take what is due from the card; whether it is paid now. authenticated: the buyer has answered the bank already."""
    if invoice["status"] == "paid":
        return True
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1, next_payment_attempt=None)
    if method is None:
        return unpaid(world, invoice, "invoice.payment_failed")
    intent = _intent(world, invoice)
    known = payment_methods.card_of(method).asks_once and method["customer"] is not None
    charging.confirm(world, intent, method, authenticated=authenticated or known)
    intent = world.store.get("payment_intent", intent["id"])
    if intent["status"] == "succeeded":
        paid(world, invoice, amount=invoice["amount_due"])
        return True
    wanted = "invoice.payment_action_required" if intent["status"] == "requires_action" else "invoice.payment_failed"
    return unpaid(world, invoice, wanted)


def _intent(world: World, invoice: Json) -> Json:
    for payment in payments(world, invoice)["data"]:
        intent = world.store.get("payment_intent", payment["payment"]["payment_intent"])
        if intent["status"] in payment_intents.OPEN:
            return intent
    intent = payment_intents.new(
        world, amount=invoice["amount_due"], currency=invoice["currency"], metadata={}, customer=invoice["customer"],
        description=f"Invoice {invoice['number']}",
    )  # fmt: skip
    _associate(world, invoice, intent)
    return intent


def unpaid(world: World, invoice: Json, kind: str) -> bool:
    world.store.save(invoice)
    emit(world, kind, invoice)
    return False


def paid(world: World, invoice: Json, *, amount: int) -> None:
    at = int(world.now())
    invoice.update(status="paid", attempted=True, amount_paid=amount, amount_remaining=0, next_payment_attempt=None)
    invoice["status_transitions"] = {**invoice["status_transitions"], "paid_at": at}
    world.store.save(invoice)
    for payment in payments(world, invoice)["data"]:
        if world.store.get("payment_intent", payment["payment"]["payment_intent"])["status"] == "succeeded":
            payment.update(status="paid", amount_paid=amount, status_transitions={"canceled_at": None, "paid_at": at})
            world.store.save(payment)
    emit(world, "invoice.paid", invoice)
    emit(world, "invoice.payment_succeeded", invoice)


def _associate(world: World, invoice: Json, intent: Json) -> None:
    payment = stamp(
        world,
        "inpay",
        "invoice_payment",
        amount_paid=None,
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"payment_intent": intent["id"], "type": "payment_intent"},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )
    world.store.insert(payment)


def payments(world: World, invoice: Json) -> Json:
    found = world.store.select("invoice_payment", " AND json_extract(body, '$.invoice') = ?", (invoice["id"],))
    return short_list(found, f"/v1/invoices/{invoice['id']}/payments")


def invoice_of(world: World, intent: Json) -> Json | None:
    """The invoice that this intent is to pay, if any."""
    found = world.store.select("invoice_payment", " AND json_extract(body, '$.payment.payment_intent') = ?", (intent["id"],), limit=1)
    return world.store.get("invoice", found[0]["invoice"]) if found else None


part("invoice", "payments", payments)
