"""Taking a place, seeing, paying and giving it up, and refunding it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field, StringConstraints

from audit.actor import Actor
from billing import checkout
from billing.checkout import NotPayable
from billing.gateway.base import GatewayRefused
from billing.models import Refund
from core.errors import DomainError, InvalidInput
from core.public_ids import decode
from promo_codes import tries
from public_api import event_detail, idempotency
from public_api import registration_shapes as shapes
from public_api.auth import ANYONE, SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.event_shapes import QuoteOut
from public_api.idempotency import Key
from public_api.registration_shapes import RefundOut, RegistrationOut
from public_api.shapes import Body, Country, CurrencyCode, Email, EventId, Line, PromoCodeText, RegistrationId, Text, moment
from public_api.throttling import READ, REGISTER, WRITE
from registrations import cancellation, guest_links, registering
from registrations.models import Registration

router = Router()
GuestKey = Annotated[str, StringConstraints(max_length=100)]


class RegistrationIn(Body):
    """A guest gives name and email; somebody signed in registers under the account's. expected_total: minor units that were shown.

    promo_code: one use of it is reserved with the place, and free again when the place is.
    """

    email: Email | None = None
    name: Line | None = None
    country: Country = ""
    promo_code: PromoCodeText = ""
    expected_total: Annotated[int, Field(ge=0, le=99_999_999)] | None = None


class RegisteredOut(Schema):
    """needs: what makes the place yours ("nothing", "payment": go to checkout_url, "address": follow the link in the mail).

    key: for guests, opens this registration later. checkout_url: null where there is nothing to pay, or where the payment page did not
    open in time; then POST …/checkout gives it.
    """

    id: str
    state: str
    needs: str
    hold_expires_at: datetime | None
    quote: QuoteOut
    key: str | None
    checkout_url: str | None


class NothingToPay(DomainError):
    code, http_status = "NOTHING_TO_PAY", 409

    def __init__(self) -> None:
        super().__init__("This place is free of charge; there is nothing to pay.")


class CheckoutOut(Schema):
    """checkout_url: null where the payment page did not open in time; ask again."""

    checkout_url: str | None


class RefundIn(Body):
    """amount: minor units, tax included; left out, what the refund terms give at this moment."""

    amount: Annotated[int, Field(ge=1, le=99_999_999)] | None = None
    currency: CurrencyCode | None = None
    reason: str = Refund.Reason.REQUESTED_BY_CUSTOMER.value
    note: Annotated[Text, StringConstraints(max_length=1000)] = ""


@router.post(
    "/events/{event_id}/registrations",
    response={201: RegisteredOut, 202: RegisteredOut, **ERRORS},
    operation_id="register",
    auth=ANYONE,
    throttle=REGISTER,
)
def register(request: HttpRequest, event_id: EventId, body: RegistrationIn, idempotency_key: Key) -> HttpResponse:
    """Take a place. 202: it is held, but the payment page did not open in time."""
    by = actor(request)
    payment_ids: list[UUID | None] = []
    if by.user_id is None and not (body.email and body.name):
        raise InvalidInput("Give a name and an email address, or sign in.", field="name" if body.email else "email")

    if body.promo_code:
        tries.count(by=by)

    def perform() -> tuple[int, dict[str, Any]]:
        done = registering.register(
            event_id=event_id,
            by=by,
            email=body.email or "",
            name=body.name or "",
            country=body.country,
            promo_code=body.promo_code,
            expected_total=body.expected_total,
        )
        payment_ids.append(done.payment_id)
        return 201, _registered(done)

    answer = idempotency.once(request, by=by, route="register", key=idempotency_key, perform=perform)
    key = decode(Registration.public_prefix, answer.body["id"])
    payment_id = payment_ids[0] if payment_ids else Registration.objects.filter(pk=key).values_list("payment_id", flat=True).first()
    url = _checkout_url(payment_id)
    late = {"key": None if by.user_id else guest_links.manage_key(key), "checkout_url": url}
    is_late = url is None and answer.body["needs"] == "payment" and not answer.replayed
    return answer.respond(status=202 if is_late else None, **late)


def _registered(done: registering.Registered) -> dict[str, Any]:
    """What is kept with the key: no name, no address, nothing that opens the registration."""
    registration = done.registration
    pending = registration.state == Registration.State.PENDING
    needs = "nothing" if not pending else "address" if done.quote.is_free else "payment"
    return {
        "id": registration.public_id,
        "state": str(registration.state),
        "needs": needs,
        "hold_expires_at": moment(registration.hold_expires_at),
        "quote": event_detail.quote_parts(done.quote),
    }


def _checkout_url(payment_id: UUID | None) -> str | None:
    """Opened after the commit; a page that cannot be opened leaves the place held, and is asked for again with POST …/checkout."""
    if payment_id is None:
        return None
    try:
        return checkout.open(payment_id=payment_id)
    except (NotPayable, GatewayRefused):
        return None


@router.get(
    "/registrations/{registration_id}",
    response={200: RegistrationOut, **ERRORS},
    operation_id="get_registration",
    auth=ANYONE,
    throttle=READ,
)
def get_registration(request: HttpRequest, registration_id: RegistrationId, key: GuestKey | None = None) -> dict[str, Any]:
    """A registration: a guest's by its key, one's own, or one of an organization that one works for."""
    by = shapes.holder(request, registration_id, key)
    return shapes.shown(shapes.visible(registration_id, by), by)


@router.post(
    "/registrations/{registration_id}/cancel",
    response={200: RegistrationOut, **ERRORS},
    operation_id="cancel_registration",
    auth=ANYONE,
    throttle=WRITE,
)
def cancel_registration(
    request: HttpRequest, registration_id: RegistrationId, idempotency_key: Key, key: GuestKey | None = None
) -> HttpResponse:
    """Give a place up; what the terms give back is refunded. An unpaid one ends once the payment provider confirms that it was not paid."""
    return cancel(request, registration_id, idempotency_key, by=shapes.holder(request, registration_id, key))


def cancel(request: HttpRequest, registration_id: UUID, idempotency_key: str, *, by: Actor, own: bool = False) -> HttpResponse:
    def perform() -> tuple[int, dict[str, Any]]:
        shapes.visible(registration_id, by, own=own)
        cancellation.cancel(registration_id=registration_id, by=by)
        return 200, shapes.shown(shapes.visible(registration_id, by, own=own), by)

    return idempotency.once(request, by=by, route="cancel_registration", key=idempotency_key, perform=perform).respond()


@router.post(
    "/registrations/{registration_id}/checkout",
    response={200: CheckoutOut, 202: CheckoutOut, **ERRORS},
    operation_id="open_checkout",
    auth=ANYONE,
    throttle=WRITE,
)
def open_checkout(request: HttpRequest, registration_id: RegistrationId, key: GuestKey | None = None) -> HttpResponse:
    """The page to pay on; the one that is open is given again, so no key is needed. 202: it did not open in time, ask again."""
    return pay(shapes.visible(registration_id, shapes.holder(request, registration_id, key)))


def pay(registration: Registration) -> HttpResponse:
    if registration.payment_id is None:
        raise NothingToPay
    url = checkout.open(payment_id=registration.payment_id)
    return idempotency.Answer(200 if url else 202, {"checkout_url": url}, replayed=False).respond()


@router.post(
    "/registrations/{registration_id}/refund",
    response={202: RefundOut, **ERRORS},
    operation_id="refund_registration",
    auth=SIGNED_IN,
    throttle=WRITE,
)
def refund_registration(request: HttpRequest, registration_id: RegistrationId, body: RefundIn, idempotency_key: Key) -> HttpResponse:
    """Request a refund; the payment provider confirms it later, above a limit a second person approves it first."""
    by = actor(request)

    def perform() -> tuple[int, dict[str, Any]]:
        refund = cancellation.refund(
            registration_id=registration_id,
            amount=body.amount,
            currency=body.currency,
            reason=body.reason,
            note=body.note,
            by=by,
        )
        return 202, shapes.refund_shown(refund)

    return idempotency.once(request, by=by, route="refund_registration", key=idempotency_key, perform=perform).respond()
