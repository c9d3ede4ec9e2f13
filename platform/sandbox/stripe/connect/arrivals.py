"""What a transfer is in the connected account: a payment there, and a refund of it where the transfer was reversed.

https://docs.stripe.com/connect/separate-charges-and-transfers: both say which transfer (reversal) of the platform's made them.
"""

from sandbox.stripe import balance_transactions, blank
from sandbox.stripe.errors import Json
from sandbox.stripe.world import World, stamp

_NOT_BY_A_BUYER = (
    "customer",
    "description",
    "failure_code",
    "failure_message",
    "outcome",
    "payment_intent",
    "payment_method",
    "payment_method_details",
    "receipt_email",
    "receipt_url",
)


def arrive(world: World, transfer: Json) -> Json:
    """The payment that the transfer made, its money booked in the account."""
    amount, currency, account = transfer["amount"], transfer["currency"], transfer["destination"]
    made = {
        **blank.CHARGE,
        "amount": amount,
        "amount_captured": amount,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": True,
        "currency": currency,
        "metadata": {},
        "paid": True,
        "source_transfer": transfer["id"],
        "status": "succeeded",
        "transfer_group": transfer["transfer_group"],
        **dict.fromkeys(_NOT_BY_A_BUYER),
    }
    payment = stamp(world, "py", "charge", **made)
    moved = balance_transactions.book(
        world, "payment", amount, currency, source=payment["id"], reporting_category="charge", account=account
    )
    payment["balance_transaction"] = moved["id"]
    return world.store.insert(payment, account=account)


def leave(world: World, transfer: Json, reversal: Json) -> Json:
    """The refund by which the account gives the reversed part back."""
    amount, currency, account = reversal["amount"], reversal["currency"], transfer["destination"]
    refund = stamp(
        world,
        "pyr",
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=transfer["destination_payment"],
        currency=currency,
        metadata={},
        payment_intent=None,
        reason=None,
        receipt_number=None,
        source_transfer_reversal=reversal["id"],
        status="succeeded",
        transfer_reversal=None,
    )
    del refund["livemode"]  # this object has none
    moved = balance_transactions.book(
        world, "payment_refund", -amount, currency, source=refund["id"], reporting_category="refund", account=account
    )
    refund["balance_transaction"] = moved["id"]
    return world.store.insert(refund, account=account)
