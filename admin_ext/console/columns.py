"""How values look in lists and on object pages: amounts with currency, moments with their zone, states as badges, ids as links.

Each function makes a method for an admin class: `paid = columns.moment("paid_at", "Paid")`. A path may cross foreign keys with dots.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Model
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from admin_ext.console.urls import change_url, public_id
from billing import refund_terms
from core.money import Money

EMPTY = mark_safe('<span class="text-subtle">–</span>')
type Column = Callable[[Any, Any], Any]

SUCCESS, WARNING, DANGER, INFO, PLAIN = "success", "warning", "danger", "info", ""
TONES: dict[str, str] = {
    **dict.fromkeys(["succeeded", "confirmed", "published", "complete", "processed", "done", "sent", "won", "completed", "paid"], SUCCESS),
    **dict.fromkeys(["fixed", "closed"], SUCCESS),
    **dict.fromkeys(["failed", "dead", "lost", "unknown", "rejected", "deauthorized"], DANGER),
    **dict.fromkeys(["missing_here", "missing_at_stripe", "status"], DANGER),
    **dict.fromkeys(["amount", "fee", "currency", "external"], WARNING),
    **dict.fromkeys(
        ["awaiting_approval", "requires_action", "needs_response", "warning_needs_response", "partially_refunded", "on_hold"], WARNING
    ),
    **dict.fromkeys(
        [
            "pending",
            "processing",
            "submitting",
            "approved",
            "transferring",
            "in_transit",
            "requested",
            "live",
            "open",
            "opening",
            "running",
            "queued",
            "received",
            "ready",
        ],
        INFO,
    ),
}
_BADGE = {
    SUCCESS: "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    WARNING: "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
    DANGER: "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    INFO: "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    PLAIN: "bg-base-100 text-base-700 dark:bg-base-500/20 dark:text-base-200",
}


def reach(obj: Any, path: str) -> Any:
    """The value at a dotted path; None as soon as a step is None or missing."""
    for step in path.split("."):
        obj = getattr(obj, step, None)
        if obj is None:
            return None
    return obj


def as_badge(text: str, tone: str) -> SafeString:
    return format_html('<span class="console-badge {}">{}</span>', _BADGE[tone], text)


def as_state(value: str, label: str | None = None) -> SafeString:
    return as_badge(label or value.replace("_", " ").capitalize(), TONES.get(value, PLAIN))


def as_money(amount: int | None, currency: str) -> Any:
    if amount is None:
        return EMPTY
    return format_html('<span class="console-number">{}</span>', str(Money(amount, currency)))


def as_moment(value: datetime | None, zone: str = "UTC") -> Any:
    """ "3 Mar 2027, 14:05 UTC", with the exact UTC instant as its title."""
    if value is None:
        return EMPTY
    local = value.astimezone(ZoneInfo(zone))
    shown = f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}" class="whitespace-nowrap">{}</time>',
        value.astimezone(UTC).isoformat(),
        f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        shown,
    )


def age(value: datetime | None) -> str:
    """ "3 minutes", "5 hours", "12 days" since `value`."""
    if value is None:
        return ""
    minutes = max(0, int((timezone.now() - value).total_seconds() // 60))
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"{minutes // size} {unit}{'s' if minutes // size != 1 else ''}"
    return "less than a minute"


def as_link(site: str, obj: Any, text: str | None = None) -> Any:
    """The object's name, linking to its page where this site has one."""
    if obj is None:
        return EMPTY
    url = change_url(site, obj)
    shown = text or str(obj)
    return format_html('<a class="text-link" href="{}">{}</a>', url, shown) if url else shown


_STRIPE_PAGES = {
    "pi": "payments",
    "ch": "payments",
    "re": "refunds",
    "pyr": "refunds",
    "dp": "disputes",
    "du": "disputes",
    "evt": "events",
    "acct": "connect/accounts",
    "tr": "connect/transfers",
    "cs": "checkout/sessions",
    "txn": "balance/history",
}


def as_stripe(value: str | None) -> Any:
    """Stripe's id, linking to its page in Stripe's dashboard (the test one where the key is a test key)."""
    if not value:
        return EMPTY
    page = _STRIPE_PAGES.get(value.split("_")[0])
    if page is None:
        return format_html("<code>{}</code>", value)
    mode = "" if settings.STRIPE_SECRET_KEY.startswith("sk_live_") else "test/"
    url = f"https://dashboard.stripe.com/{mode}{page}/{value}"
    return format_html('<a class="text-link" href="{}" target="_blank" rel="noopener noreferrer"><code>{}</code></a>', url, value)


def _column(label: str, ordering: str | None, show: Column) -> Any:
    show.short_description = label  # type: ignore[attr-defined]
    if ordering:
        show.admin_order_field = ordering  # type: ignore[attr-defined]
    return show


def _order(path: str) -> str:
    return path.replace(".", "__")


def text(path: str, label: str, *, sortable: bool = False) -> Any:
    return _column(label, _order(path) if sortable else None, lambda _admin, obj: reach(obj, path) or EMPTY)


def number(label: str = "Id") -> Any:
    """The typed public id."""
    return _column(label, None, lambda _admin, obj: format_html("<code>{}</code>", public_id(obj)))


def state(path: str = "state", label: str = "State") -> Any:
    def show(_admin: Any, obj: Any) -> Any:
        value = reach(obj, path)
        owner = reach(obj, path.rpartition(".")[0]) if "." in path else obj
        display = getattr(owner, f"get_{path.rpartition('.')[2]}_display", None)
        return as_state(str(value), str(display()).replace("_", " ").capitalize() if display else None) if value else EMPTY

    return _column(label, None, show)


def money(path: str, label: str, *, currency: str = "currency", zero: bool = True) -> Any:
    def show(_admin: Any, obj: Any) -> Any:
        amount, unit = reach(obj, path), reach(obj, currency)
        return as_money(amount, unit) if amount is not None and unit and (amount or zero) else EMPTY

    return _column(label, None, show)


def moment(path: str, label: str, *, zone: str | None = None, sortable: bool = False) -> Any:
    """zone: dotted path of an IANA zone on the object; UTC without one."""
    return _column(
        label, _order(path) if sortable else None, lambda _admin, obj: as_moment(reach(obj, path), (zone and reach(obj, zone)) or "UTC")
    )


def link(path: str, label: str, *, shown: str | None = None) -> Any:
    """shown: dotted path on the target of the text; its str() without one."""

    def show(admin: Any, obj: Any) -> Any:
        target = reach(obj, path)
        return as_link(admin.admin_site.name, target, str(reach(target, shown)) if shown and target is not None else None)

    return _column(label, None, show)


def stripe(path: str, label: str) -> Any:
    return _column(label, None, lambda _admin, obj: as_stripe(reach(obj, path)))


def joined(path: str, label: str) -> Any:
    """A list of words."""
    return _column(label, None, lambda _admin, obj: ", ".join(map(str, reach(obj, path) or [])) or EMPTY)


def joined_html(*parts: Any) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def terms(path: str, label: str) -> Any:
    """Refund tiers in words."""
    return _column(label, None, lambda _admin, obj: refund_terms.sentence(reach(obj, path) or []))


def as_anchor(url: str | None, shown: str) -> SafeString:
    return format_html('<a class="text-link" href="{}"><code>{}</code></a>', url, shown) if url else format_html("<code>{}</code>", shown)


def as_page_elsewhere(url: str, shown: str) -> SafeString:
    """A link that opens beside this page."""
    return format_html('<a class="text-link" href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, shown)


def as_dialogs(site: str, obj: Model, dialogs: Iterable[tuple[str, str]]) -> SafeString:
    """Links that open dialogs of another object's buttons, (address, label) each; without scripts they lead to the dialog's own page."""
    page = (change_url(site, obj) or "").removesuffix("change/")
    return format_html_join(
        " ",
        '<a class="text-link" href="{0}{1}/" hx-get="{0}{1}/" hx-target="#modal-content" hx-select="#dialog"'
        ' x-on:htmx:after-on-load="openModal = true">{2}<span class="sr-only"> {3}</span></a>',
        ((page, address, label, str(obj)) for address, label in dialogs),
    )


def as_code(value: str) -> Any:
    """Preformatted text, such as an error with its trace."""
    return format_html('<pre class="console-code" tabindex="0">{}</pre>', value) if value else EMPTY


def as_json_text(value: str) -> Any:
    """JSON laid out; text that is none is shown as it is."""
    try:
        return as_code(json.dumps(json.loads(value), indent=2, ensure_ascii=False))
    except ValueError:
        return as_code(value)


def side(sign: int, label: str) -> Any:
    """One side of a ledger entry: debits are positive, credits negative."""
    return _column(label, None, lambda _admin, obj: as_money(sign * obj.amount, obj.currency) if sign * obj.amount > 0 else "")
