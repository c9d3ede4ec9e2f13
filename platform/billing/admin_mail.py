"""A mail to each admin of an organization: whoever may pay for it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import models

from notifications import delivery
from organizations.models import Organization, Role


def to_admins(kind: str, organization: Organization, context: Mapping[str, Any], *, related: models.Model, notice: str) -> None:
    """Queue the mail in the caller's transaction; each admin gets it once for `related` and `notice`."""
    for member in organization.memberships.active().filter(role=Role.ADMIN).select_related("user"):
        delivery.queue(
            kind=kind,
            to=member.user.email,
            context={"organization": organization.name, **context},
            user_id=member.user_id,
            organization_id=organization.pk,
            related=related,
            dedupe_key=f"{kind}:{related.pk}:{notice}:{member.user_id}",
        )


def plans_page() -> str:
    """Where the console shows the plan, and leads to the card at Stripe."""
    return f"{settings.BASE_URL}/console/billing/planaccess/plans/"


def pay_page(invoice: models.Model) -> str:
    """Where the console leads to Stripe's page of the invoice as it is then."""
    return f"{settings.BASE_URL}/console/billing/invoice/{invoice.public_id}/pay/"  # type: ignore[attr-defined]
