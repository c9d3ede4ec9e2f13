"""Pages of tables that grow without bound: never a COUNT(*) over all of it, an estimate in its place."""

from typing import Any

from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from admin_ext.console import keyset
from admin_ext.console.urls import change_url

COUNTED = 1000  # up to here a count is exact
WITHOUT_END = 9_999_999_999


class BigTablePaginator(InfinitePaginator):  # type: ignore[misc]
    """count: exact up to COUNTED, else WITHOUT_END, so that a page may always be followed by another one."""

    template_name = "admin_ext/pagination.html"

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        found = rows.order_by()[: COUNTED + 1].count() if isinstance(rows, QuerySet) else len(rows)
        return int(found) if found <= COUNTED else WITHOUT_END

    @cached_property
    def in_words(self) -> str:
        """How many there are: exact, estimated by PostgreSQL for a whole table, or "more than"."""
        if self.count != WITHOUT_END:
            return f"{self.count:,}"
        rows: Any = self.object_list
        if not rows.query.where:
            return f"about {estimated(rows.model):,}"
        return f"more than {COUNTED:,}"


def estimated(model: type[Model]) -> int:
    """PostgreSQL's own estimate of the table's rows, to two digits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        (rows,) = cursor.fetchone()
    size = max(int(rows), COUNTED)
    return int(round(size, 2 - len(str(size))))


class ConsoleChangeList(ChangeList):  # type: ignore[misc]
    """Pages by key, links rows by their typed public ids; the admin class may look up in one go what a whole page of rows needs.

    earlier, later: tokens of the page before and after. A list whose ordering is not by columns is read from its beginning.
    """

    earlier: str | None = None
    later: str | None = None
    page_num = 1

    def get_results(self, request: HttpRequest) -> None:
        self.request = request
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_count, self.full_result_count = self.paginator.count, None
        self.show_full_result_count, self.show_admin_actions = False, True
        self.can_show_all, self.multi_page = False, self.result_count > self.list_per_page
        names = keyset.names_of(list(self.get_ordering(request, self.queryset))) or ["-pk"]
        found = keyset.page(self.queryset, names, self.list_per_page, request.GET.get(PAGE_VAR, "")[:2000])
        self.earlier, self.later = found.earlier, found.later
        self.result_list: Any = found.rows
        self.model_admin.prepare_page(request, self.result_list)

    @property
    def earlier_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.earlier}) if self.earlier else ""

    @property
    def later_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.later}) if self.later else ""

    @property
    def first_url(self) -> str:
        return self.get_query_string(remove=[PAGE_VAR]) if self.earlier else ""

    @property
    def export_url(self) -> str | None:
        """Where all rows of this list can be fetched; None where this person may not."""
        found: str | None = self.model_admin.export_url(self.request, self.get_query_string(remove=[PAGE_VAR]))
        return found

    def url_for_result(self, result: Model) -> str:
        site = self.model_admin.admin_site.name
        return change_url(site, result) or DjangoChangeList.url_for_result(self, result)
