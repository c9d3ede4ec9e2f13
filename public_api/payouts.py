"""Earnings and payouts of one's organization: what there is, what was paid out, asking for more, statements."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from audit.actor import Actor
from billing import earnings, payout_requests, payout_statements, statement_papers
from billing.earnings import Balance
from billing.models import PayoutRequest
from core.errors import NotFound
from organizations.permissions import Permission, require
from public_api import idempotency
from public_api.auth import SIGNED_IN, actor
from public_api.envelope import ERRORS
from public_api.idempotency import Key
from public_api.pagination import Page, keyset_page
from public_api.shapes import Body, CurrencyCode, MoneyOut, OrganizationId, PayoutId, Text, moment, money
from public_api.throttling import READ, WRITE

router = Router(auth=SIGNED_IN)
_PARTS = ("payable", "reserved", "disputed", "requested", "available", "owed")


class BalanceOut(Schema):
    """payable = reserved + disputed + requested + what is left; available is never more than the payment provider can send.

    owed: refunds or disputes took more than was there; payouts wait until it is made up for. read_at: when the provider was asked.
    """

    currency: str
    payable: MoneyOut
    reserved: MoneyOut
    disputed: MoneyOut
    requested: MoneyOut
    available: MoneyOut
    owed: MoneyOut
    minimum: MoneyOut
    read_at: datetime | None


class BalancesOut(Schema):
    balances: list[BalanceOut]


class PayoutState(StrEnum):
    REQUESTED = PayoutRequest.State.REQUESTED.value
    APPROVED = PayoutRequest.State.APPROVED.value
    ON_HOLD = PayoutRequest.State.ON_HOLD.value
    REJECTED = PayoutRequest.State.REJECTED.value
    CANCELLED = PayoutRequest.State.CANCELLED.value
    TRANSFERRING = PayoutRequest.State.TRANSFERRING.value
    IN_TRANSIT = PayoutRequest.State.IN_TRANSIT.value
    PAID = PayoutRequest.State.PAID.value
    FAILED = PayoutRequest.State.FAILED.value


class PayoutOut(Schema):
    """reason: why it was held, rejected, or failed. statement: where to fetch it, null before it was paid."""

    id: str
    state: PayoutState
    amount: MoneyOut
    reason: str
    created_at: datetime
    arrives_at: datetime | None
    paid_at: datetime | None
    statement: str | None


class PayoutsWanted(Page):
    state: PayoutState | None = None


class PayoutPage(Schema):
    items: list[PayoutOut]
    next: str | None


class PayoutIn(Body):
    """amount: minor units; left out, all that is available."""

    currency: CurrencyCode
    amount: Annotated[int, Field(ge=1, le=10**12)] | None = None
    note: Annotated[Text, StringConstraints(max_length=1000)] = ""


class StatementFormat(StrEnum):
    CSV = "csv"
    PDF = "pdf"


@router.get("/organizations/{organization_id}/balance", response={200: BalancesOut, **ERRORS}, operation_id="get_balance", throttle=READ)
def get_balance(request: HttpRequest, organization_id: OrganizationId) -> dict[str, Any]:
    """What the organization has earned and what of it can be paid out, for each currency."""
    _require_view(organization_id, actor(request))
    return {"balances": [_balance(one) for one in earnings.balances_of(organization_id, at=timezone.now())]}


def _require_view(organization_id: UUID, by: Actor) -> None:
    payout_requests.require_visible(organization_id, by)
    require(by, Permission.PAYOUT_VIEW, organization_id)


def _balance(one: Balance) -> dict[str, Any]:
    parts = {name: money(one.money(name)) for name in _PARTS}
    return {"currency": one.currency, **parts, "minimum": money(payout_requests.minimum(one.currency)), "read_at": moment(one.read_at)}


@router.get("/organizations/{organization_id}/payouts", response={200: PayoutPage, **ERRORS}, operation_id="list_payouts", throttle=READ)
def list_payouts(request: HttpRequest, organization_id: OrganizationId, wanted: Query[PayoutsWanted]) -> dict[str, Any]:
    """Payouts of the organization, the latest first."""
    by = actor(request)
    _require_view(organization_id, by)
    rows = PayoutRequest.objects.visible_to(by).filter(organization_id=organization_id).prefetch_related("statements")
    if wanted.state is not None:
        rows = rows.filter(state=wanted.state.value)
    found, following = keyset_page(rows, wanted, listing=f"payouts:{organization_id}")
    return {"items": [_shown(row) for row in found], "next": following}


@router.post("/organizations/{organization_id}/payouts", response={201: PayoutOut, **ERRORS}, operation_id="request_payout", throttle=WRITE)
def request_payout(request: HttpRequest, organization_id: OrganizationId, body: PayoutIn, idempotency_key: Key) -> HttpResponse:
    """Ask for a payout; the platform's finance approves it, then it goes to the organization's bank."""
    by = actor(request)

    def perform() -> tuple[int, dict[str, Any]]:
        made = payout_requests.request(
            organization_id=organization_id,
            currency=body.currency,
            amount=body.amount,
            note=body.note,
            source=PayoutRequest.Source.API,
            by=by,
        )
        return 201, _shown(made)

    return idempotency.once(request, by=by, route="request_payout", key=idempotency_key, perform=perform).respond()


@router.get("/payouts/{payout_id}", response={200: PayoutOut, **ERRORS}, operation_id="get_payout", throttle=READ)
def get_payout(request: HttpRequest, payout_id: PayoutId) -> dict[str, Any]:
    by = actor(request)
    payout = PayoutRequest.objects.visible_to(by).prefetch_related("statements").filter(pk=payout_id).first()
    if payout is None:
        raise NotFound("payout")
    require(by, Permission.PAYOUT_VIEW, payout.organization_id)
    return _shown(payout)


_FILES: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The statement: opening + movements = closing.",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }
}


@router.get("/payouts/{payout_id}/statement", response=ERRORS, operation_id="get_payout_statement", throttle=READ, openapi_extra=_FILES)
def get_payout_statement(request: HttpRequest, payout_id: PayoutId, format: StatementFormat = StatementFormat.CSV) -> HttpResponseBase:  # noqa: A002  a query's name
    """Every movement as CSV, or the sums as PDF."""
    statement = payout_statements.find(payout_request_id=payout_id, by=actor(request))
    answer: HttpResponseBase = (
        HttpResponse(statement_papers.pdf(statement), content_type="application/pdf")
        if format is StatementFormat.PDF
        else StreamingHttpResponse(statement_papers.csv_rows(statement), content_type="text/csv; charset=utf-8")
    )
    answer["Content-Disposition"] = f'attachment; filename="{statement.public_id}.{format.value}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _shown(payout: PayoutRequest) -> dict[str, Any]:
    has_statement = bool(payout.statements.all())
    return {
        "id": payout.public_id,
        "state": str(payout.state),
        "amount": money(payout.money),
        "reason": payout.reason,
        "created_at": moment(payout.created_at),
        "arrives_at": moment(payout.arrives_at),
        "paid_at": moment(payout.paid_at),
        "statement": f"/api/v1/payouts/{payout.public_id}/statement" if has_statement else None,
    }
