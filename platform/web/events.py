"""The list of public events, one event's page, and taking a place there."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from billing import checkout, refund_terms
from billing.gateway.base import GatewayRefused
from billing.quoting import Quote, TotalBelowMinimum
from core.errors import DomainError
from core.money import Money
from core.public_ids import encode
from events import local_times, preview_links
from events.models import Event
from promo_codes import tries
from promo_codes.models import PromoCode
from promo_codes.refusals import PromoCodeRefused, TooManyTries
from registrations import admission, attendees, discounting, quoting, registering
from registrations.attendees import Attendee
from registrations.models import Registration
from web.acting import actor
from web.forms import RegistrationForm

_PER_PAGE = 20


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Upcoming public events, soonest first, found by a word in title or organizer."""
    words = request.GET.get("search", "").strip()[:100]
    page = Paginator(_upcoming(words), _PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "web/events.html", {"page": page, "events": [summary(event) for event in page], "search": words})


def _upcoming(words: str) -> QuerySet[Event]:
    rows = Event.objects.public().upcoming(at=timezone.now()).select_related("organization").order_by("starts_at", "id")
    return rows.filter(Q(title__icontains=words) | Q(organization__name__icontains=words)) if words else rows


def summary(event: Event) -> dict[str, Any]:
    return {
        "event": event,
        "when": local_times.span(event.starts_at, event.ends_at, event.time_zone),
        "price": str(event.price) if event.is_paid else "Free",
        "is_full": event.seats_left < 1,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """The event with its price and the form; a POST takes the place and leads on to Stripe's page where there is something to pay."""
    event = Event.objects.reachable().select_related("organization", "host").filter(slug=slug).first()
    if event is None:
        raise Http404
    if request.method == "POST" and request.POST.get("promo_code", "").strip():
        try:
            tries.count(by=actor(request))
        except TooManyTries as refusal:
            return render(request, "web/refused.html", {"sentence": str(refusal)}, status=refusal.http_status)
    if request.method == "POST" and "apply" in request.POST:
        return _page(request, event, _form(request, event, initial=request.POST.dict()))
    form = _form(request, event, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return _register(request, event, form)
        except admission.PriceChanged as changed:
            form = _form(request, event, {**request.POST.dict(), "expected_total": changed.quote.total.amount})
            form.add_error(None, str(changed))
        except PromoCodeRefused as refusal:
            form.add_error("promo_code", str(refusal))
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    return _page(request, event, form)


def _form(request: HttpRequest, event: Event, *given: Any, **options: Any) -> RegistrationForm:
    return RegistrationForm(*given, user=request.user, takes_code=event.is_paid, **options)


@require_GET
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """A draft as attendees will see it, for whoever has its signed link; nobody can register here and no search engine keeps it."""
    try:
        event = preview_links.opened(slug=slug, key=request.GET.get("key", ""))
    except preview_links.PreviewExpired as refusal:
        answer = render(request, "web/refused.html", {"sentence": str(refusal)}, status=refusal.http_status)
    else:
        if event.state != Event.State.DRAFT:
            return redirect("web:event", slug=event.slug)
        answer = render(request, "web/event.html", {**_content(event, ""), "is_preview": True})
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Cache-Control"] = "private, no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _page(request: HttpRequest, event: Event, form: RegistrationForm) -> HttpResponse:
    """The price is that of what was typed: with a promo code that can be used, else without it and with the reason."""
    typed: Any = form.data if form.is_bound else form.initial
    refused = form.is_bound and bool(form.errors.get("promo_code"))
    code, why = (None, "") if refused or not event.is_paid else _code(request, event, str(typed.get("promo_code", "")))
    is_refused = form.is_bound and bool(refused or form.non_field_errors())
    context = {
        **_content(event, str(typed.get("country", "")).upper(), code),
        "closed": _closed(request, event),
        "mine": _mine(request, event),
        "form": form,
        "code": code,
        "code_refused": why,
    }
    return render(request, "web/event.html", context, status=409 if is_refused or why else 200)


def _code(request: HttpRequest, event: Event, text: str) -> tuple[PromoCode | None, str]:
    """The code that was typed, or one sentence about why it cannot be used."""
    if not text.strip():
        return None, ""
    at = timezone.now()
    try:
        code = discounting.usable(text=text, event=event, attendee=attendees.looking(actor(request)), at=at)
        quoting.quote(event=event, country="", at=at, code=code)
    except (PromoCodeRefused, TotalBelowMinimum) as refusal:
        return None, str(refusal)
    return code, ""


def _content(event: Event, country: str, code: PromoCode | None = None) -> dict[str, Any]:
    """What the page says to everybody alike, and the price of this promo code."""
    quote = _quote(event, country, code)
    sessions = [
        (session, local_times.span(session.starts_at, session.ends_at, event.time_zone))
        for session in event.sessions.filter(is_published=True).order_by("starts_at", "id")
    ]
    return {
        **summary(event),
        "sessions": sessions,
        "quote": quote,
        "lines": [
            (line.description, Money(line.amount, quote.total.currency), line.inclusive) for line in quote.lines if line.payer == "attendee"
        ]
        if quote
        else [],
        "terms": refund_terms.sentence(event.terms),
    }


def _quote(event: Event, country: str, code: PromoCode | None) -> Quote | None:
    try:
        return quoting.quote(event=event, country=country, at=timezone.now(), code=code)
    except DomainError:
        return None


def _closed(request: HttpRequest, event: Event) -> str:
    """Why nobody can register now, empty where one can."""
    try:
        by = actor(request)
        admission.require_open(event, attendee=Attendee("", "", by.user_id), at=timezone.now(), by=by)
    except DomainError as refusal:
        return str(refusal)
    return "" if event.seats_left > 0 else str(admission.EventFull())


def _mine(request: HttpRequest, event: Event) -> Registration | None:
    if not isinstance(request.user, User):
        return None
    return Registration.objects.active().filter(event=event, user=request.user).first()


def _register(request: HttpRequest, event: Event, form: RegistrationForm) -> HttpResponse:
    done = registering.register(event_id=event.pk, by=actor(request), **form.arguments())
    page = f"/registrations/{encode(Registration.public_prefix, done.registration.pk)}"
    if done.payment_id is None:
        if done.guest_key is not None:  # a new address and one that is registered already get the same page: only the mail tells them apart
            return redirect("web:check_mail")
        return redirect(page)
    try:
        url = checkout.open(payment_id=done.payment_id)
    except GatewayRefused:
        url = None
    return redirect(url or (f"{page}?key={done.guest_key}" if done.guest_key else page))
