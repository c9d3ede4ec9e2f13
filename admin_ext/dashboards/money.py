"""Sales, refunds, fees, disputes and payouts of a period, each currency by itself; every figure leads to the rows it is the sum of.

Days are days in UTC, as in the lists' filters. A day belongs to the period whole, its last one too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import TruncDay
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from admin_ext.console.scope import visible
from admin_ext.console.urls import decoded, list_url
from audit.actor import Actor
from billing.models import Dispute, Payment, PaymentLine, PayoutRequest, Refund
from core.money import Money
from ledger.models import LedgerEntry
from organizations.models import Organization

LAST_DAYS = (7, 30, 90)
LONGEST = timedelta(days=366)
_BOOKS = {"platform_fees": "Service fees", "processing_fees": "Processing fees", "stripe_fees": "Stripe's fees"}


def page(admin: Any, request: HttpRequest) -> HttpResponse:
    """The platform's money or one organization's (?organization=org_…) for staff, one's own in the organizers' console. Raises Http404."""
    organization = _organization(admin, request)
    when = period(request.GET)
    found = blocks(admin.actor(request), when, site=admin.admin_site.name, organization_id=organization.pk if organization else None)
    asked = [({"days": str(days)}, f"{days} days") for days in LAST_DAYS]
    asked += [({"month": f"{month:%Y-%m}"}, f"{month:%B %Y}") for month in _months()]
    extra = {"organization": organization.public_id} if organization else {}
    choices = [{"title": title, "url": f"?{urlencode({**query, **extra})}", "chosen": period(query) == when} for query, title in asked]
    context: dict[str, Any] = {"blocks": found, "period": when, "choices": choices, "organization": organization}
    answer: HttpResponse = admin.own_page(request, "admin_ext/money.html", "Money", **context)
    return answer


def _organization(admin: Any, request: HttpRequest) -> Organization | None:
    wanted = request.GET.get("organization")
    if not wanted:
        return None
    found: Organization | None = visible(Organization, admin.actor(request)).filter(pk=decoded(Organization, wanted)).first()
    if found is None:
        raise Http404
    return found


def _months() -> list[date]:
    """This month and the two before it."""
    first = timezone.now().astimezone(UTC).date().replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    return [first, before, (before - timedelta(days=1)).replace(day=1)]


@dataclass(frozen=True, slots=True)
class Period:
    """Both days included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    def within(self, moment: str) -> dict[str, datetime]:
        begin, end = (datetime.combine(day, time(), UTC) for day in (self.first, self.last + timedelta(days=1)))
        return {f"{moment}__gte": begin, f"{moment}__lt": end}

    def query(self, moment: str) -> dict[str, str]:
        """What the list's own filter (console.filters.MomentRange) is asked for."""
        return {f"{moment}_from": self.first.isoformat(), f"{moment}_to": self.last.isoformat()}


@dataclass(frozen=True, slots=True)
class Figure:
    title: str
    money: Money
    count: int | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """One currency: its figures, and sales and refunds day by day as Unfold's chart reads them."""

    currency: str
    figures: list[Figure]
    chart: str


def period(asked: Any, *, today: date | None = None) -> Period:
    """From `days`, `month` ("2027-03"), or `from` and `to`; thirty days where these say nothing or nonsense, at most a year and a day."""
    today = today or timezone.now().astimezone(UTC).date()
    if asked.get("days", "").isdecimal() and int(asked["days"]) in LAST_DAYS:
        return Period(today - timedelta(days=int(asked["days"]) - 1), today)
    try:
        if asked.get("month"):
            first = date.fromisoformat(f"{asked['month']}-01")
            return Period(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
        found = Period(date.fromisoformat(asked.get("from", "")), date.fromisoformat(asked.get("to", "")))
    except (ValueError, OverflowError):
        found = Period(today, date.min)
    if not timedelta() <= found.last - found.first <= LONGEST or found.first.year < 2000 or found.last.year > 9000:
        return Period(today - timedelta(days=29), today)
    return found


def blocks(by: Actor, when: Period, *, site: str, organization_id: UUID | None = None) -> list[Block]:
    """A block for each currency in which anything happened, by name. organization_id: one organization, where the actor sees more."""
    daily = {model: _daily(model, by, when, organization_id) for model in (Payment, Refund)}
    found = {
        "sales": _totals(daily[Payment]),
        "refunds": _totals(daily[Refund]),
        "disputes": _sums(Dispute, by, when, organization_id),
        "payouts": _sums(PayoutRequest, by, when, organization_id),
        "fees": _fees_of_sales(by, when, organization_id),
    }
    books = _in_books(by, when, organization_id) if site == "admin" else {}
    currencies = {currency for sums in found.values() for currency in sums} | {currency for currency, _ in books}
    link = _Links(site, when, organization_id)
    return [Block(one, list(_figures(one, found, books, link)), _chart(one, daily, when)) for one in sorted(currencies)]


_OF: dict[Any, tuple[str, str, dict[str, Any]]] = {
    # moment, lookup of the organization, and which rows count
    Payment: ("paid_at", "organization", {}),
    Refund: ("succeeded_at", "payment__organization", {"state": "succeeded"}),
    Dispute: ("created_at", "payment__organization", {}),
    PayoutRequest: ("paid_at", "organization", {"state": "paid"}),
}


def _rows(model: Any, by: Actor, when: Period, organization_id: UUID | None) -> QuerySet[Any]:
    moment, owner, counted = _OF[model]
    rows = visible(model, by).filter(**when.within(moment), **counted).order_by()
    return rows if organization_id is None else rows.filter(**{owner: organization_id})


def _daily(model: Any, by: Actor, when: Period, organization_id: UUID | None) -> list[tuple[Any, ...]]:
    """(currency, day, number, amount, what is still earned); a refund earns nothing."""
    moment = _OF[model][0]
    amount, earned = ("amount_captured", F("earned")) if model is Payment else ("amount", F("amount") * 0)
    rows = _rows(model, by, when, organization_id).annotate(day=TruncDay(moment, tzinfo=UTC)).values_list("currency", "day")
    return list(rows.annotate(number=Count("pk"), total=Sum(amount), part=Sum(earned, default=0)))


def _totals(daily: list[tuple[Any, ...]]) -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for currency, _day, number, amount, earned in daily:
        before = found.get(currency, (0, 0, 0))
        found[currency] = (before[0] + number, before[1] + amount, before[2] + earned)
    return found


def _sums(model: Any, by: Actor, when: Period, organization_id: UUID | None) -> dict[str, tuple[int, int, int]]:
    rows = _rows(model, by, when, organization_id).values_list("currency").annotate(Count("pk"), Sum("amount"))
    return {currency: (number, amount, 0) for currency, number, amount in rows}


def _fees_of_sales(by: Actor, when: Period, organization_id: UUID | None) -> dict[str, tuple[int, int, int]]:
    """Service and processing fees of the period's sales, whoever bears them, before any refund."""
    sold = _rows(Payment, by, when, organization_id)
    lines = PaymentLine.objects.filter(payment__in=sold, kind__in=["service_fee", "processing_fee"])
    rows = lines.values_list("payment__currency").annotate(number=Count("pk"), total=Sum("amount"))
    return {currency: (number, total, 0) for currency, number, total in rows}


def _in_books(by: Actor, when: Period, organization_id: UUID | None) -> dict[tuple[str, str], int]:
    """By currency and account, as the books hold them: refunds have given back their part."""
    entries = visible(LedgerEntry, by).filter(account__in=_BOOKS, **when.within("transaction__occurred_at")).order_by()
    if organization_id is not None:
        entries = entries.filter(transaction__organization_id=organization_id)
    return {(currency, account): total for currency, account, total in entries.values_list("currency", "account").annotate(Sum("amount"))}


@dataclass(frozen=True, slots=True)
class _Links:
    site: str
    when: Period
    organization_id: UUID | None

    def to(self, model: Any, currency: str) -> str | None:
        moment, owner, counted = _OF[model]
        query = {"currency": currency, **self.when.query(moment), **{f"{name}__in": value for name, value in counted.items()}}
        if self.organization_id is not None:
            query[f"{owner}__id__exact"] = str(self.organization_id)
        return list_url(self.site, model, urlencode(query))

    def to_books(self, account: str, currency: str) -> str | None:
        query = {"account": account, "currency": currency, **self.when.query("transaction__occurred_at")}
        if self.organization_id is not None:
            query["transaction__organization_id"] = str(self.organization_id)
        return list_url(self.site, LedgerEntry, urlencode(query))


def _figures(currency: str, found: dict[str, Any], books: dict[tuple[str, str], int], link: _Links) -> Iterator[Figure]:
    number, sold, earned = found["sales"].get(currency, (0, 0, 0))
    payments = link.to(Payment, currency)
    yield Figure("Sales", Money(sold, currency), number, payments)
    yield Figure("Fees on these sales", Money(found["fees"].get(currency, (0, 0, 0))[1], currency), None, payments)
    yield Figure("Earned, after fees, tax and refunds", Money(earned, currency), None, payments)
    for title, model, name in (
        ("Refunds", Refund, "refunds"),
        ("Disputes opened", Dispute, "disputes"),
        ("Payouts", PayoutRequest, "payouts"),
    ):
        number, amount, _ = found[name].get(currency, (0, 0, 0))
        yield Figure(title, Money(amount, currency), number, link.to(model, currency))
    for account, title in _BOOKS.items():
        if (currency, account) in books:
            amount = books[currency, account]
            signed = amount if account == "stripe_fees" else -amount  # revenue stands in credit
            yield Figure(f"{title}, by the books", Money(signed, currency), None, link.to_books(account, currency))


def _chart(currency: str, daily: dict[Any, list[tuple[Any, ...]]], when: Period) -> str:
    """Major units; the chart draws shapes, the figures beside it say the amounts."""
    by_day = {model: {row[1].date(): row[3] for row in rows if row[0] == currency} for model, rows in daily.items()}
    series = [
        {
            "label": label,
            "data": [float(Money(by_day[model].get(day, 0), currency).major) for day in when.days],
            "backgroundColor": colour,
        }
        for label, model, colour in (("Sales", Payment, "var(--color-primary-600)"), ("Refunds", Refund, "#d97706"))
    ]
    return json.dumps({"labels": [f"{day.day} {day:%b}" for day in when.days], "datasets": series})
