"""Addresses of objects: typed public ids in links, both spellings accepted."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.urls import NoReverseMatch, reverse

from core.public_ids import decode


def decoded(model: type[Model], text: str) -> Any:
    """The key that a typed public id of this model or a plain key names; None where it is neither."""
    prefix = getattr(model, "public_prefix", None)
    if prefix is not None:
        try:
            return decode(prefix, text)
        except ValueError:
            pass
    try:
        return UUID(text) if prefix is not None else model._meta.pk.to_python(text)
    except (ValueError, ValidationError):
        return None


def public_id(obj: Model) -> str:
    return str(getattr(obj, "public_id", obj.pk))


def change_url(site: str, obj: Model) -> str | None:
    """The page of the object on this site; None where the site has none."""
    try:
        return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[public_id(obj)], current_app=site)
    except NoReverseMatch:
        return None


def list_url(site: str, model: type[Model], query: str = "") -> str | None:
    try:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", current_app=site)
    except NoReverseMatch:
        return None
    return f"{address}?{query}" if query else address
