"""The earnings page: an organizer's own balances and payouts; for finance what every organization has earned, or owes."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from admin_ext.console import columns
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.console.panels import Panel
from admin_ext.console.scope import visible
from admin_ext.console.urls import change_url, list_url
from billing import earnings
from billing.earnings import Balance
from billing.models import ConnectedAccount, PayoutRequest
from organizations.models import Organization
from organizations.permissions import Permission

MOST = 200
BALANCE_HEADERS = ["Currency", "Earned, not paid out", "Reserved", "Disputed", "Asked for", "Available", "In the account", "On its way", ""]
_PARTS = ("payable", "reserved", "disputed", "requested", "available", "connected", "in_transit")


def page(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    """Raises PermissionDenied where the person may not see payouts."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    if admin.on_staff_site:
        return admin.own_page(request, "admin_ext/earnings.html", "Organization balances", panels=[_everybody(admin, request)])
    return _own(admin, request)


def _own(admin: ConsoleModelAdmin, request: HttpRequest) -> HttpResponse:
    actor, site = admin.actor(request), admin.admin_site.name
    organization_id = actor.organization_id
    if organization_id is None:
        raise PermissionDenied
    account = visible(ConnectedAccount, actor).filter(organization_id=organization_id).first()
    balances = earnings.balances_of(organization_id, at=timezone.now())
    read_at = min((one.read_at for one in balances if one.read_at), default=None)
    panels = [
        Panel("Balance", BALANCE_HEADERS, [balance_cells(one) for one in balances], "Nothing was earned yet."),
        payouts_panel(admin, visible(PayoutRequest, actor), ""),
    ]
    return admin.own_page(
        request,
        "admin_ext/earnings.html",
        "Earnings",
        panels=panels,
        account=account,
        account_url=change_url(site, account) if account else None,
        set_up_url=reverse("admin:billing_account_set_up", current_app=site),
        may_set_up=admin.allowed(request, Permission.CONNECT_MANAGE),
        read_at=columns.as_moment(read_at) if read_at else None,
        is_own=True,
    )


def _everybody(admin: ConsoleModelAdmin, request: HttpRequest) -> Panel:
    """Those who owe first, then those who are owed most."""
    found = earnings.overview(limit=MOST)
    organizations = {one.pk: one for one in visible(Organization, admin.actor(request)).filter(pk__in={key for key, _ in found})}
    accounts = {one.organization_id: one for one in visible(ConnectedAccount, admin.actor(request)).filter(organization__in=organizations)}
    site = admin.admin_site.name
    rows = [
        [
            columns.as_link(site, organizations[key]),
            columns.as_money(one.payable, one.currency),
            columns.as_money(one.connected, one.currency),
            columns.as_money(one.in_transit, one.currency),
            columns.as_badge(f"Owes {one.money('owed')}", columns.DANGER) if one.owed else "",
            columns.as_link(site, accounts.get(key), "Payout account"),
        ]
        for key, one in found
    ]
    headers = ["Organization", "Earned, not paid out", "In its account", "On its way", "", ""]
    return Panel("Balances", headers, rows, "No organization has earned anything yet.")


def balance_cells(one: Balance) -> list[Any]:
    owed = columns.as_badge(f"Owes {one.money('owed')}", columns.DANGER) if one.owed else ""
    return [one.currency, *(columns.as_money(getattr(one, name), one.currency) for name in _PARTS), owed]


def payouts_panel(admin: ConsoleModelAdmin, payouts: QuerySet[PayoutRequest], query: str) -> Panel:
    site = admin.admin_site.name
    rows = [
        [
            columns.as_link(site, one, str(one.money)),
            columns.as_state(one.state),
            columns.as_moment(one.created_at),
            columns.as_moment(one.paid_at),
            one.reason or one.blocked,
        ]
        for one in payouts.order_by("-pk")[:20]
    ]
    headers = ["Payout", "State", "Asked for", "Paid", "Why"]
    return Panel("Payouts", headers, rows, "No payout was asked for yet.", list_url(site, PayoutRequest, query))
