"""Every page, action, autocomplete and export of a console, asked for as somebody who may not see a certain organization's rows.

The walk reads the site's own registry and addresses, so a screen that is added tomorrow is walked without a word here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import ForeignKey, Model
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils.html import escape

from admin_ext.console import keyset
from core.public_ids import encode

ABSENT = (404, 403, 405)


@dataclass
class World:
    """rows: one foreign object of every registered model; secrets: words that only the foreign organization's rows hold."""

    rows: dict[type[Model], Model]
    secrets: list[str]


@dataclass
class Walk:
    """Walks `site` with `client`; found: one sentence per leak; asked: how many requests were made. only: these models, else all.

    brief: plain lists and public ids, for one more person on ways that another walk has gone in full.
    """

    site: Any
    client: Client
    world: World
    only: frozenset[type[Model]] | None = None
    brief: bool = False
    found: list[str] = field(default_factory=list)
    asked: int = 0

    def go(self) -> "Walk":
        for url in self._site_pages():
            self._read(url)
        for model, admin in self.site._registry.items():
            row = self.world.rows.get(model)
            if self.only is not None and model not in self.only:
                continue
            if row is None:
                self.found.append(f"{model._meta.label}: the world has no foreign row of it")
                continue
            for url in self._lists(model, admin, row):
                self._read(url)
            for url in self._objects(admin, row):
                self._absent(url)
            self._actions(model, admin, row)
            self._exports(model, admin, row)
            for url in self._autocompletes(model):
                self._read(url)
        return self

    def _named(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{name}", args=args, current_app=self.site.name)

    def _site_pages(self) -> Iterator[str]:
        """Addresses of the site itself, without arguments, and the search for every foreign word and id."""
        for pattern in self.site.get_urls():
            if isinstance(pattern, URLPattern) and pattern.name and pattern.name not in ("logout", "switch"):
                try:
                    yield self._named(pattern.name)
                except NoReverseMatch:
                    continue
        for model in self.site._registry:
            yield self._named("app_list", model._meta.app_label)
        for secret in self.world.secrets:
            yield f"{self._named('search')}?s={secret[:-1]}"
        for row in self.world.rows.values():
            for spelling in (str(row.pk), *_public(row)):
                yield f"{self._named('search')}?s={spelling}"

    def _lists(self, model: type[Model], admin: Any, row: Model) -> Iterator[str]:
        url = self._named(f"{model._meta.app_label}_{model._meta.model_name}_changelist")
        if self.brief:
            yield url
            return
        yield from (url, f"{url}?p=2&o=-2.1", f"{url}?e=1", f"{url}?all=1&_popup=1", f"{url}add/")
        for backwards in (True, False):
            yield f"{url}?p={keyset._token(row, ['-pk'], backwards=backwards)}"
        for word in ("rival", str(row.pk), *_public(row)):
            yield f"{url}?q={word}"
        yield f"{url}?pk__exact={row.pk}"
        for name, foreign in self._filters(model, admin):
            yield f"{url}?{name}__id__exact={foreign.pk}"

    def _filters(self, model: type[Model], admin: Any) -> Iterator[tuple[str, Model]]:
        """Every foreign key, whether the list filters by it or not, with the foreign row that it could name."""
        for one in model._meta.get_fields():
            if isinstance(one, ForeignKey) and one.related_model in self.world.rows:
                yield one.name, self.world.rows[one.related_model]
        for entry in admin.list_filter:
            if isinstance(entry, (tuple, list)) and entry[0].endswith("__organization"):
                yield entry[0], next(row for kind, row in self.world.rows.items() if kind._meta.model_name == "organization")

    def _objects(self, admin: Any, row: Model) -> Iterator[str]:
        """Every address of one object, in both spellings of its id."""
        for pattern in admin.get_urls():
            if not isinstance(pattern, (URLPattern, URLResolver)) or "object_id" not in str(pattern.pattern) or not pattern.name:
                continue
            for spelling in (*_public(row),) if self.brief else (str(row.pk), *_public(row)):
                yield self._named(pattern.name, spelling)
        base = self._named(f"{row._meta.app_label}_{row._meta.model_name}_changelist")
        for spelling in (str(row.pk), *_public(row)):
            yield f"{base}{spelling}/change/?_to_field=id"

    def _actions(self, model: type[Model], admin: Any, row: Model) -> None:
        url = self._named(f"{model._meta.app_label}_{model._meta.model_name}_changelist")
        for action in admin.actions or ():
            name = action if isinstance(action, str) else action.__name__
            answer = self.client.post(url, {"action": name, "_selected_action": [str(row.pk)], "select_across": "0"}, follow=True)
            self._judge(f"action {name} at {url}", answer)

    def _exports(self, model: type[Model], admin: Any, row: Model) -> None:
        if not admin.export_fields:
            return
        url = self._named(f"{model._meta.app_label}_{model._meta.model_name}_export")
        queries = ["", f"?q={row.pk}", "?q=rival", *(f"?{name}__id__exact={foreign.pk}" for name, foreign in self._filters(model, admin))]
        for query in queries:
            self._judge(f"export at {url}{query}", self.client.post(f"{url}{query}"))

    def _autocompletes(self, model: type[Model]) -> Iterator[str]:
        for one in model._meta.get_fields():
            if isinstance(one, ForeignKey):
                query = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}&field_name={one.name}"
                yield f"{self._named('autocomplete')}?{query}&term="
                yield f"{self._named('autocomplete')}?{query}&term=rival"

    def _read(self, url: str) -> None:
        self._judge(f"GET {url}", self.client.get(url, follow=True))

    def _absent(self, url: str) -> None:
        for method in ("get", "post"):
            answer = getattr(self.client, method)(url, {"token": "t" * 12, "_form_submitted": "on"} if method == "post" else None)
            self._judge(f"{method.upper()} {url}", answer)
            if answer.status_code not in ABSENT:
                self.found.append(f"{method.upper()} {url} answers {answer.status_code}; a foreign object must look absent")

    def _judge(self, what: str, answer: Any) -> None:
        self.asked += 1
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        text = body.decode()
        if answer.status_code >= 500:
            self.found.append(f"{what} answers {answer.status_code}")
        self.found += [f"{what} shows {secret!r}" for secret in self.world.secrets if secret in text or escape(secret) in text]


def _public(row: Model) -> Iterator[str]:
    prefix = getattr(row, "public_prefix", None)
    if prefix:
        yield encode(prefix, row.pk)
