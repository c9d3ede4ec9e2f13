"""Disputes; https://docs.stripe.com/api/disputes. The control API opens and decides them, or a test card does."""

from sandbox.stripe import balance_transactions, files
from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.events import emit
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, METADATA, PAGE, Flag, Moment, Record, Text, merged_metadata
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

FEE = 1500  # minor units, whatever the currency; kept by Stripe whoever wins
DAYS_TO_RESPOND = 7
_TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "uncategorized_text",
)


_FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "uncategorized_file",
)


def open_dispute(world: World, charge: Json, *, reason: str, inquiry: bool = False, amount: int | None = None) -> Json:
    """Open a dispute. Its amount and fee leave the balance at once, except for an inquiry, which moves nothing."""
    due_by = int(world.now()) + DAYS_TO_RESPOND * balance_transactions.DAY
    dispute = stamp(
        world,
        "du",
        "dispute",
        amount=amount or charge["amount"] - charge["amount_refunded"],
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={"enhanced_evidence": {}, **dict.fromkeys((*_TEXTS, *_FILES))},
        evidence_details={"due_by": due_by, "enhanced_eligibility": {}, "has_evidence": False, "past_due": False, "submission_count": 0},
        is_charge_refundable=inquiry,
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method_details=_card(charge),
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
    )
    world.store.insert(dispute)
    charge["disputed"] = True
    world.store.save(charge)
    emit(world, "charge.dispute.created", dispute)
    if not inquiry:
        _withdraw(world, dispute)
    return dispute


def _card(charge: Json) -> Json:
    card = charge["payment_method_details"]["card"]
    return {
        "type": "card",
        "card": {"brand": card["brand"], "case_type": "chargeback", "network": card["brand"], "network_reason_code": "83"},
    }


def _withdraw(world: World, dispute: Json) -> None:
    movement = balance_transactions.book(
        world,
        "adjustment",
        -dispute["amount"],
        dispute["currency"],
        source=dispute["id"],
        fee=FEE,
        reporting_category="dispute",
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(movement)
    emit(world, "charge.dispute.funds_withdrawn", world.store.save(dispute))


def escalate(world: World, dispute: Json) -> None:
    """An inquiry becomes a dispute: now the money leaves."""
    previous = {"status": dispute["status"], "is_charge_refundable": True}
    dispute.update(status="needs_response", is_charge_refundable=False)
    emit(world, "charge.dispute.updated", world.store.save(dispute), previous=previous)
    _withdraw(world, dispute)


def decide(world: World, dispute: Json, outcome: str) -> None:
    """Close a dispute as won, lost or (an inquiry) warning_closed. A won one brings its amount back, not its fee."""
    if dispute["status"] in ("won", "lost", "warning_closed"):
        raise invalid("This dispute is already closed")
    dispute.update(status=outcome, is_charge_refundable=outcome != "lost")
    emit(world, "charge.dispute.closed", world.store.save(dispute))
    if outcome == "won" and dispute["balance_transactions"]:
        movement = balance_transactions.book(
            world,
            "adjustment",
            dispute["amount"],
            dispute["currency"],
            source=dispute["id"],
            reporting_category="dispute_reversal",
            description=f"Chargeback reversal for {dispute['charge']}",
        )
        dispute["balance_transactions"].append(movement)
        emit(world, "charge.dispute.funds_reinstated", world.store.save(dispute))


def blocking(world: World, charge_id: str) -> bool:
    """Whether a dispute stops refunds of this charge."""
    found = world.store.select("dispute", " AND json_extract(body, '$.charge') = ?", (charge_id,))
    return any(not dispute["is_charge_refundable"] for dispute in found)


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("dispute", call.id)


def update(world: World, call: Call) -> Json:
    dispute = retrieve(world, call)
    previous = {"metadata": dispute["metadata"]}
    if "evidence" in call.params:
        _check_evidence(world, dispute, call.params["evidence"])
    if "metadata" in call.params:
        dispute["metadata"] = merged_metadata(dispute["metadata"], call.params["metadata"])
    if "evidence" in call.params:
        dispute["evidence"].update(call.params["evidence"])
        dispute["evidence_details"]["has_evidence"] = True
    if call.params.get("submit", True) and "evidence" in call.params:
        previous["status"] = dispute["status"]
        dispute["evidence_details"]["submission_count"] += 1
        dispute["status"] = "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
    emit(world, "charge.dispute.updated", world.store.save(dispute), previous=previous)
    return dispute


def _check_evidence(world: World, dispute: Json, evidence: Json) -> None:
    if dispute["status"] in ("won", "lost", "warning_closed"):
        raise invalid("This dispute is already closed", param="evidence")
    if dispute["evidence_details"]["due_by"] <= world.now():
        raise invalid("The deadline for submitting evidence for this dispute has passed.", param="evidence")
    for name in _FILES:
        if evidence.get(name):
            file = world.store.find("file", evidence[name])
            if file is None or file["purpose"] != files.EVIDENCE:
                raise invalid(f"No such file upload: '{evidence[name]}'", param=f"evidence[{name}]", code="resource_missing")


def close(world: World, call: Call) -> Json:
    dispute = retrieve(world, call)
    decide(world, dispute, "lost")
    return dispute


def index(world: World, call: Call) -> Json:
    equal = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(world, call, "dispute", "/v1/disputes", equal=equal)


_EVIDENCE = Record(fields={name: Text(clearable=True, longest=20_000) for name in (*_TEXTS, *_FILES)})
ROUTES = [
    Route("GET", "/v1/disputes", index, {**PAGE, "created": Moment(), "charge": Text(), "payment_intent": Text()}),
    Route("GET", "/v1/disputes/{id}", retrieve, {"expand": EXPAND}),
    Route("POST", "/v1/disputes/{id}", update, {"expand": EXPAND, "metadata": METADATA, "evidence": _EVIDENCE, "submit": Flag()}),
    Route("POST", "/v1/disputes/{id}/close", close, {"expand": EXPAND}),
]
