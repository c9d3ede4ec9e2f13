"""Mails about quotas: 80, 90 and 100 % of what a plan allows, to the organization's admins, once for each period."""

from django.db import transaction
from django.utils import timezone

from core import jobs
from entitlements.models import UsageWarning
from notifications import delivery
from organizations.models import Organization, Role

_AT_ONCE = 200


@jobs.task()
def send_warnings() -> None:
    """Mail every warning that was written and not sent. Two workers never send one twice: each takes the rows it locks."""
    with transaction.atomic():
        unsent = UsageWarning.objects.select_for_update(skip_locked=True, of=("self",)).select_related("allowance__grant").unsent()
        for warning in unsent.order_by("pk")[:_AT_ONCE]:
            _send(warning)
            warning.sent_at = timezone.now()
            warning.save(update_fields=["sent_at", "updated_at"])


def _send(warning: UsageWarning) -> None:
    organization_id = warning.allowance.grant.organization_id
    organization = Organization.objects.get(pk=organization_id)
    context = {
        "organization": organization.name,
        "resource": warning.allowance.get_resource_display().lower(),
        "percent": warning.percent,
        "used": warning.used,
        "limit": warning.limit,
        "ends_at": warning.allowance.grant.period_ends_at,
    }
    for member in organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind="usage_warning",
            to=member.user.email,
            context=context,
            user_id=member.user_id,
            organization_id=organization_id,
            related=warning,
            dedupe_key=f"usage_warning:{warning.pk}:{member.user_id}",
        )
