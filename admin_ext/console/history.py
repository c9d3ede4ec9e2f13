"""What happened to an object: its audit entries, newest first, as a timeline on its page and as the History page.

What was done to parts of it (a payment's refunds and disputes) stands in the same timeline, each entry naming its object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.models import User
from admin_ext.console import columns
from admin_ext.console.urls import change_url
from audit.actor import Actor
from audit.models import AuditEntry
from core.money import Money
from core.public_ids import encode

HISTORY = 300
# What operations record in minor units of their object's currency.
_AMOUNTS = frozenset({"amount", "available", "stripe_closing", "books_closing", "in_transit"})


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry, ready to show. who: a person's name, or what the system was doing. about: a link to the part it is about, if any."""

    at: Any
    what: str
    who: str
    reason: str
    changes: list[Change]
    state: Any
    entry: AuditEntry
    about: Any = ""


def timeline(admin: Any, by: Actor, obj: Model, *, limit: int) -> list[Moment]:
    """The latest entries about the object and the parts that its screen tells of (`told_with`); three statements at most."""
    if not isinstance(obj.pk, UUID):
        return []
    told = [obj.pk, *_parts(admin.told_with(obj))]
    entries = list(AuditEntry.objects.visible_to(by).filter(object_id__in=told).order_by("-id")[:limit])
    people = names(entry.user_id for entry in entries if entry.user_id)
    money = str(getattr(obj, "currency", "") or getattr(getattr(obj, "payment", None), "currency", ""))
    site = admin.admin_site.name
    return [_moment(one, people, money, about=about(site, one) if one.object_id != obj.pk else "") for one in entries]


def _parts(told_with: Sequence[QuerySet[Any]]) -> list[UUID]:
    """The keys of all of them in one statement; read first, since the log is long and only keys find their entries by its index."""
    keys = [rows.order_by().values_list("pk", flat=True) for rows in told_with]
    return list(keys[0].union(*keys[1:], all=True)) if keys else []


def about(site: str, entry: AuditEntry) -> Any:
    """A link made without reading the object: the entry's key and table say where it is. Its id alone where this site has no page."""
    model = apps.get_model(entry.object_type)
    prefix = getattr(model, "public_prefix", None)
    return columns.as_link(site, model(pk=entry.object_id), encode(prefix, entry.object_id) if prefix else str(entry.object_id))


def names(user_ids: Iterable[UUID]) -> dict[UUID, str]:
    rows = User.objects.filter(pk__in=set(user_ids)).only("name", "email", "id")
    return {user.pk: str(user) for user in rows}


def who(entry: AuditEntry, people: dict[UUID, str]) -> str:
    if entry.user_id:
        return people.get(entry.user_id) or encode(User.public_prefix, entry.user_id)
    kind, _, name = entry.actor.partition(":")
    return {"system": f"System ({name})", "guest": "Guest with the signed link"}.get(kind, entry.actor)


def in_words(action: str) -> str:
    """ "refund.requested" -> "Refund requested"."""
    return action.replace(".", " ").replace("_", " ").capitalize()


def _moment(entry: AuditEntry, people: dict[UUID, str], currency: str, *, about: Any) -> Moment:
    names_ = [name for name in {**entry.before, **entry.after} if name != "state"]
    changes = [
        Change(
            name.replace("_", " "), *(_shown(side.get(name), currency if name in _AMOUNTS else "") for side in (entry.before, entry.after))
        )
        for name in names_
    ]
    state = entry.after.get("state")
    badge = columns.as_state(str(state)) if state else ""
    at, what = columns.as_moment(entry.created_at), in_words(entry.action)
    return Moment(at, what, who(entry, people), entry.reason, changes, badge, entry, about)


def _shown(value: Any, currency: str) -> str:
    """currency: not empty where the value is minor units of it."""
    if value is None or value == "":
        return ""
    return str(Money(value, currency)) if currency and isinstance(value, int) else str(value)


def page(admin: Any, request: HttpRequest, obj: Model) -> HttpResponse:
    """The History page of one object; who may see it was checked by the caller."""
    context = {
        **admin.admin_site.each_context(request),
        "title": f"History of {obj}",
        "moments": timeline(admin, admin.actor(request), obj, limit=HISTORY),
        "limit": HISTORY,
        "opts": admin.opts,
        "original": obj,
        "back": change_url(admin.admin_site.name, obj),
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, "admin_ext/history.html", context)
