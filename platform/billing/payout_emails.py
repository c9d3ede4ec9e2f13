"""Mails about payouts, to those who look after the organization's money."""

from typing import Any
from uuid import UUID

from django.conf import settings

from billing.models import PayoutRequest
from core import jobs
from notifications import delivery
from organizations.models import Role


@jobs.task()
def send_payout_paid(*, payout_request_id: UUID) -> None:
    payout = _payout(payout_request_id)
    _to_admins("payout_paid", payout, {})


@jobs.task()
def send_payout_failed(*, payout_request_id: UUID) -> None:
    payout = _payout(payout_request_id)
    _to_admins("payout_failed", payout, {"reason": payout.reason})


def _payout(payout_request_id: UUID) -> PayoutRequest:
    return PayoutRequest.objects.select_related("organization").get(pk=payout_request_id)


def _to_admins(kind: str, payout: PayoutRequest, more: dict[str, Any]) -> None:
    context = {
        "amount": str(payout.money),
        "organization": payout.organization.name,
        "reference": payout.public_id,
        "site": settings.BASE_URL,
        **more,
    }
    for member in payout.organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind=kind,
            to=member.user.email,
            context=context,
            user_id=member.user_id,
            organization_id=payout.organization_id,
            related=payout,
            dedupe_key=f"{kind}:{payout.pk}:{payout.attempt}:{member.user_id}",
        )
