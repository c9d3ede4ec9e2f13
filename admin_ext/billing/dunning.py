"""The banner of an organization whose plan nobody pays: what is the matter, until when, and the way to mend it."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from admin_ext.billing import invoices
from audit.actor import Actor
from billing.invoice_links import Page
from billing.models import Invoice, PlanAccess, Subscription


@dataclass(frozen=True, slots=True)
class Banner:
    """status: of the subscription that Stripe tries to bill, empty where there is none. pay_url: where the open invoice is paid."""

    plan: str
    status: str
    needs_action: bool
    ends_at: datetime | None
    pay_url: str
    plans_url: str


def banner(actor: Actor, site: str) -> Banner | None:
    """None where the plan is paid for, and for people who may not see how it is."""
    if actor.organization_id is None:
        return None
    late = PlanAccess.objects.visible_to(actor).filter(organization_id=actor.organization_id, state=PlanAccess.State.GRACE)
    access = late.select_related("plan").first()
    if access is None:
        return None
    subscription = Subscription.objects.live().filter(organization_id=actor.organization_id).first()
    unpaid = Invoice.objects.visible_to(actor).filter(organization_id=actor.organization_id, status=Invoice.Status.OPEN)
    invoice = unpaid.order_by("-issued_at").first() if subscription else None
    return Banner(
        plan=access.plan_name,
        status=subscription.status if subscription else "",
        needs_action=invoice is not None and invoice.needs_action,
        ends_at=access.grace_ends_at,
        pay_url=invoices.address(site, invoice, Page.PAY) if invoice else "",
        plans_url=reverse("admin:billing_plan_compare", current_app=site),
    )
