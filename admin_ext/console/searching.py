"""The command palette: screens by name and single objects by exact id, of this site and this actor only; nothing is cached."""

import time
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.dataclasses import SearchResult

from admin_ext.console.urls import change_url, decoded, list_url

MOST = 20


def search(site: Any, request: HttpRequest) -> HttpResponse:
    term = request.GET.get("s", "").strip()[:200].replace("\x00", "")
    if not term:
        return HttpResponse()
    began = time.monotonic()
    results = [*_screens(site, request, term.lower()), *_objects(site, request, term)][:MOST]
    page = Paginator(results, MOST)
    context = {
        "search_term": term,
        "page_obj": page,
        "results": page.page(1),
        "page_counter": 0,
        "execution_time": time.monotonic() - began,
        "command_show_history": False,
    }
    request.current_app = site.name
    return TemplateResponse(request, "unfold/helpers/command_results.html", context, headers={"HX-Trigger": "search"})


def _screens(site: Any, request: HttpRequest, term: str) -> list[SearchResult]:
    found = []
    for model, admin in site._registry.items():
        name = str(model._meta.verbose_name_plural)
        url = list_url(site.name, model)
        if term in name.lower() and url and admin.has_view_permission(request):
            found.append(SearchResult(title=name.capitalize(), description="Screen", link=url, icon="tag"))
    return found


def _objects(site: Any, request: HttpRequest, term: str) -> list[SearchResult]:
    found = []
    for model, admin in site._registry.items():
        if not admin.has_view_permission(request):
            continue
        pk = decoded(model, term) if hasattr(model, "public_prefix") else None
        fields = getattr(admin, "palette_fields", ())
        if pk is None and not fields:
            continue
        rows = admin.get_queryset(request)
        matches = rows.filter(pk=pk) if pk is not None else _exact(rows, fields, term)
        for obj in matches[:5]:
            url = change_url(site.name, obj)
            if url:
                found.append(
                    SearchResult(title=str(obj), description=str(model._meta.verbose_name).capitalize(), link=url, icon="data_object")
                )
    return found


def _exact(rows: Any, fields: tuple[str, ...], term: str) -> Any:
    """By columns that an index finds at once: a palette asks after every key."""
    wanted = Q()
    for name in fields:
        wanted |= Q(**{name: term})
    return rows.filter(wanted)
