"""One's own places: a guest by the signed link, a person signed in; paying, cancelling, and coming back from Stripe's page."""

from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audit.actor import Actor
from billing import checkout
from billing.documents import printing
from billing.gateway.base import GatewayError
from billing.models import Document, Payment
from core.errors import DomainError, NotFound
from core.money import Money
from events import local_times
from registrations import cancellation, explaining, registering, tickets
from registrations.models import Registration
from typesetting.answers import pdf_answer
from web.acting import actor, holder, key_of


def _found(request: HttpRequest, public_id: str) -> tuple[Registration, Actor]:
    registration_id = key_of(Registration.public_prefix, public_id)
    by = holder(request, registration_id)
    rows = Registration.objects.visible_to(by).select_related("event__organization", "payment")
    registration = rows.filter(pk=registration_id).first()
    if registration is None:
        raise Http404
    return registration, by


@require_GET
def page(request: HttpRequest, public_id: str) -> HttpResponse:
    """The place, what was paid and refunded, and what can be done with it now."""
    registration, _by = _found(request, public_id)
    context = {**_about(registration), **_attendance(registration), "key": request.GET.get("key", "")}
    return render(request, "web/registration.html", context)


def _attendance(registration: Registration) -> dict[str, Any]:
    """The ticket until the event is over, and from its beginning on what was attended and earned, with why or why not."""
    event, now = registration.event, timezone.now()
    if registration.state != Registration.State.CONFIRMED:
        return {}
    ticket = segno.make(tickets.code(registration.pk), error="m", micro=False) if event.ends_at > now else None
    return {
        "ticket": ticket.svg_data_uri(scale=6, light="#fff") if ticket else "",
        "explanation": explaining.explain(registration, published_only=True) if event.starts_at <= now else None,
    }


def _about(registration: Registration) -> dict[str, Any]:
    event, payment = registration.event, registration.payment
    is_payable = registration.state == Registration.State.PENDING and payment is not None and payment.state in Payment.OPEN
    return {
        "registration": registration,
        "event": event,
        "when": local_times.span(event.starts_at, event.ends_at, event.time_zone),
        "held_until": local_times.text(registration.hold_expires_at, event.time_zone) if registration.hold_expires_at else "",
        "payment": payment,
        "refunds": [(refund.money, refund) for refund in payment.refunds.order_by("id")] if payment else [],
        "documents": payment.documents.order_by("id") if payment else [],
        "paid": Money(payment.amount_captured, payment.currency) if payment and payment.amount_captured else None,
        "is_payable": is_payable and not registration.cancel_reason,
        "can_cancel": registration.state != Registration.State.CANCELLED and event.starts_at > timezone.now(),
    }


@require_GET
def document(request: HttpRequest, public_id: str, document_id: str) -> HttpResponse:
    """A receipt or credit note of the place, as PDF."""
    registration, _ = _found(request, public_id)
    wanted = key_of(Document.public_prefix, document_id)
    found = Document.objects.filter(payment=registration.payment_id, pk=wanted).first() if registration.payment_id else None
    if found is None:
        raise Http404
    return pdf_answer(printing.pdf(found), name=printing.file_name(found))


@require_POST
def pay(request: HttpRequest, public_id: str) -> HttpResponse:
    """On to Stripe's page; back here with a sentence where that is not possible now."""
    registration, _ = _found(request, public_id)
    if registration.payment_id is None:
        raise Http404
    try:
        url = checkout.open(payment_id=registration.payment_id)
    except (DomainError, GatewayError) as refusal:
        messages.error(request, str(refusal))
        url = None
    else:
        if url is None:
            messages.error(request, "The payment page did not answer in time; try again in a moment.")
    return redirect(url) if url else _back(request, registration)


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """First the question with what goes back, then the deed."""
    registration, by = _found(request, public_id)
    if request.method == "GET":
        back = cancellation.given_back(registration=registration, at=timezone.now(), by=by)
        return render(request, "web/cancel.html", {**_about(registration), "back": back, "key": request.GET.get("key", "")})
    try:
        cancellation.cancel(registration_id=registration.pk, by=by)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, "Your registration is cancelled." if registration.payment_id is None else "Your cancellation is on its way."
        )
    return _back(request, registration)


def _back(request: HttpRequest, registration: Registration) -> HttpResponse:
    key = request.POST.get("key", "")
    return redirect(f"/registrations/{registration.public_id}" + (f"?key={key}" if key else ""))


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, public_id: str) -> HttpResponse:
    """The link in the mail: a page with one button, because mail programs follow links by themselves."""
    registration_id, key = key_of(Registration.public_prefix, public_id), request.POST.get("key") or request.GET.get("key") or ""
    if request.method == "GET":
        return render(request, "web/confirm.html", {"key": key, "public_id": public_id})
    try:
        registration = registering.confirm_address(registration_id=registration_id, key=key)
    except NotFound as error:
        raise Http404 from error
    except DomainError as refusal:
        return render(request, "web/refused.html", {"sentence": str(refusal)}, status=refusal.http_status)
    return render(request, "web/confirmed.html", _about(registration))


@require_GET
def returned(request: HttpRequest, public_id: str) -> HttpResponse:
    """Back from Stripe's page. Nothing in the address is believed: the session is read at Stripe, by the id that we stored.

    It shows no name and no address, because whoever has the link sees it.
    """
    payment = Payment.objects.filter(pk=key_of(Payment.public_prefix, public_id)).first()
    if payment is None:
        raise Http404
    if payment.state in Payment.OPEN:
        _ask_stripe(payment)
    registration = Registration.objects.select_related("event__organization", "payment").filter(payment_id=payment.pk).first()
    if registration is None:
        raise Http404
    context = {**_about(registration), "outcome": _outcome(registration), "cancelled": "cancelled" in request.GET}
    return render(request, "web/returned.html", context)


def _ask_stripe(payment: Payment) -> None:
    try:
        for session in payment.checkout_sessions.filter(state="open"):
            checkout.refresh(session_id=session.pk)
    except (GatewayError, DomainError):
        return  # the webhook or the sweep will tell; the page says that it is still being processed


def _outcome(registration: Registration) -> str:
    payment = registration.payment
    if payment is None or registration.state == Registration.State.CONFIRMED:
        return "confirmed"
    if payment.is_captured:
        return "given_back"
    if registration.state == Registration.State.CANCELLED:
        return "gone"
    return "failed" if payment.state == Payment.State.FAILED else "waiting"


@login_required
@require_GET
def mine(request: HttpRequest) -> HttpResponse:
    """One's own places, the newest first."""
    rows = Registration.objects.of(actor(request)).select_related("event", "payment").order_by("-id")[:100]
    places = [(place, local_times.span(place.event.starts_at, place.event.ends_at, place.event.time_zone)) for place in rows]
    return render(request, "web/mine.html", {"places": places})


@require_GET
def check_mail(request: HttpRequest) -> HttpResponse:
    return render(request, "web/check_mail.html")
