"""The sidebar: screens grouped by what people come for. A screen that the site lacks or the person may not open is absent."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from admin_ext.console.urls import list_url


@dataclass(frozen=True, slots=True)
class Screen:
    """of: "app.Model" whose list it is, or whose permission opens the page called `page`."""

    title: str
    icon: str
    of: str
    page: str = ""


GROUPS: tuple[tuple[str, tuple[Screen, ...]], ...] = (
    (
        "Money",
        (
            Screen("Money", "monitoring", "billing.Payment", "billing_money"),
            Screen("Payments", "payments", "billing.Payment"),
            Screen("Refunds", "undo", "billing.Refund"),
            Screen("Disputes", "gavel", "billing.Dispute"),
            Screen("Earnings", "account_balance_wallet", "billing.PayoutRequest", "billing_earnings"),
            Screen("Payouts", "output", "billing.PayoutRequest"),
            Screen("Payout accounts", "account_balance", "billing.ConnectedAccount"),
            Screen("Receipts and credit notes", "receipt", "billing.Document"),
            Screen("Checkout sessions", "shopping_cart_checkout", "billing.CheckoutSession"),
            Screen("Bulk runs", "checklist", "admin_ext.BulkRun"),
        ),
    ),
    (
        "Books",
        (
            Screen("Trial balance", "balance", "ledger.LedgerTransaction", "ledger_trial_balance"),
            Screen("Ledger transactions", "receipt_long", "ledger.LedgerTransaction"),
            Screen("Ledger entries", "list_alt", "ledger.LedgerEntry"),
            Screen("Invariants", "verified", "ledger.LedgerTransaction", "ledger_invariants"),
            Screen("Reconciliation", "compare_arrows", "billing.ReconciliationRun"),
            Screen("Differences", "difference", "billing.Discrepancy"),
            Screen("Periods", "event_available", "billing.ReconciliationPeriod"),
            Screen("Stripe's fees", "receipt", "billing.ChargeFee"),
            Screen("Fee schedules", "percent", "billing.FeeSchedule"),
            Screen("Tax rates", "request_quote", "billing.TaxRate"),
        ),
    ),
    (
        "Subscriptions",
        (
            Screen("Compare plans", "compare", "billing.PlanAccess", "billing_plan_compare"),
            Screen("Subscriptions", "card_membership", "billing.PlanAccess"),
            Screen("Invoices", "request_quote", "billing.Invoice"),
            Screen("Usage", "data_usage", "entitlements.Allowance", "entitlements_usage"),
            Screen("Quotas", "production_quantity_limits", "entitlements.Allowance"),
            Screen("Usage drifts", "rule", "entitlements.UsageDrift"),
            Screen("Seat drifts", "event_seat", "billing.SeatDrift"),
            Screen("Plans", "sell", "billing.Plan"),
        ),
    ),
    (
        "Events",
        (
            Screen("Events", "event", "events.Event"),
            Screen("Sessions", "schedule", "events.Session"),
            Screen("Registrations", "how_to_reg", "registrations.Registration"),
            Screen("Promo codes", "loyalty", "promo_codes.PromoCode"),
            Screen("Uses of promo codes", "redeem", "promo_codes.Redemption"),
            Screen("Attendance", "fact_check", "registrations.Verdict"),
            Screen("Files of participants", "upload_file", "registrations.AttendanceLine"),
        ),
    ),
    (
        "People",
        (
            Screen("Organizations", "corporate_fare", "organizations.Organization"),
            Screen("Members", "group", "organizations.Membership"),
            Screen("Invitations", "mark_email_unread", "organizations.Invitation"),
            Screen("Offers of the admin role", "swap_horiz", "organizations.AdminOffer"),
            Screen("In the organization's place", "supervisor_account", "organizations.ActingGrant"),
            Screen("Users", "person", "accounts.User"),
        ),
    ),
    (
        "Operations",
        (
            Screen("Inbound events", "move_to_inbox", "billing.InboundEvent"),
            Screen("Stripe calls", "outbox", "billing.StripeCommand"),
            Screen("Jobs", "work", "core.Job"),
            Screen("Janitor", "cleaning_services", "core.Job", "core_janitor"),
            Screen("Schedules", "event_repeat", "django_q.Schedule"),
            Screen("Queue", "low_priority", "django_q.OrmQ"),
            Screen("Messages", "mail", "notifications.Message"),
            Screen("Audit log", "history", "audit.AuditEntry"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's groups for the site and the person of this request."""
    site = getattr(request, "_console_site", None)
    if site is None:
        return []
    home = {"title": "Home", "icon": "home", "link": reverse("admin:index", current_app=site.name)}
    groups = [{"title": "", "separator": False, "items": [home]}]
    for title, screens in GROUPS:
        items = [item for screen in screens if (item := _item(site, request, screen)) is not None]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _item(site: Any, request: HttpRequest, screen: Screen) -> dict[str, Any] | None:
    admin = next((admin for model, admin in site._registry.items() if model._meta.label == screen.of), None)
    if admin is None or not admin.has_view_permission(request):
        return None
    try:
        link = reverse(f"admin:{screen.page}", current_app=site.name) if screen.page else list_url(site.name, admin.model)
    except NoReverseMatch:
        return None
    return {
        "title": screen.title,
        "icon": screen.icon,
        "link": link,
        "active": request.path == link if screen.page else _within(request, str(link)),
    }


def _within(request: HttpRequest, link: str) -> bool:
    return (
        request.path.startswith(link)
        and "/trial-balance/" not in request.path
        and "/invariants/" not in request.path
        and "/earnings/" not in request.path
        and "/money/" not in request.path
        and not request.path.endswith(("/plans/", "/usage/"))
    )
