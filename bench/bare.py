"""The limit: Django and django-ninja with nothing around them, doing one step on the product's own database.

Served by granian as bench.bare:application, or `python -m bench.bare check`.
"""

import logging
import os
import sys
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.env import database

settings.configure(
    SECRET_KEY="bare" * 10,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[],
    MIDDLEWARE=[],
    USE_TZ=True,
    DATABASES={"default": database(os.environ["DATABASE_URL"], process=os.environ.get("PROCESS", "command"))},
    LOGGING_CONFIG=None,
)
django.setup()
logging.disable(logging.WARNING)  # a line for each 409 would be measured as well

from django.db import connection, models, transaction  # noqa: E402  after the set-up
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from ninja import NinjaAPI, Schema  # noqa: E402

api = NinjaAPI(docs_url=None)


class Event(models.Model):
    """The product's table, read only."""

    id = models.UUIDField(primary_key=True)
    slug = models.TextField()
    title = models.TextField()
    format = models.TextField()
    state = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    time_zone = models.TextField()
    price_amount = models.BigIntegerField()
    currency = models.TextField()
    capacity = models.IntegerField()
    seats_taken = models.IntegerField()
    is_listed = models.BooleanField()
    description = models.TextField()

    class Meta:
        app_label = "bare"
        db_table = "events_event"
        managed = False

    def __str__(self) -> str:
        return self.title


class Attendee(Schema):
    name: str
    email: str


_COLUMNS = [field.attname for field in Event._meta.concrete_fields]


@api.get("/events")
def events(request: HttpRequest) -> list[Any]:
    return list(
        Event.objects.filter(state__in=["published", "live"], is_listed=True).order_by("starts_at", "id").values(*_COLUMNS[:-1])[:20]
    )


@api.get("/events/{slug}")
def event(request: HttpRequest, slug: str) -> Any:
    return Event.objects.filter(slug=slug).values(*_COLUMNS).get()


@api.post("/seats/{number}", response={201: None, 409: None})
def seat(request: HttpRequest, number: int, body: Attendee) -> Any:
    """Lock, look, insert, count: five statements with BEGIN and COMMIT."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT capacity, taken FROM bench_event WHERE id = %s FOR UPDATE", [number])
        capacity, taken = cursor.fetchone()
        if taken >= capacity:
            return 409, None
        cursor.execute("INSERT INTO bench_seat (event_id, name, email) VALUES (%s, %s, %s)", [number, body.name, body.email])
        cursor.execute("UPDATE bench_event SET taken = taken + 1 WHERE id = %s", [number])
    return 201, None


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("bare/", api.urls), path("healthz", healthz)]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
