"""The staff console over 100,000 payments: time to the first byte."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import Client

from accounts.models import User
from bench import data
from bench.bed import Bed
from bench.client import Connection, request
from bench.measure import Result, clock, median, queries_of

ROWS, TIMES = 100_000, 15


def signed_in(user: User) -> str:
    """The key of a session that is signed in as this person."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    return str(session.session_key)


def measure(bed: Bed) -> list[Result]:
    keys = data.payments(ROWS)
    cookie = f"{settings.SESSION_COOKIE_NAME}={signed_in(User.objects.get(pk=data.HOST))}"
    base = "/staff/billing/payment/"
    pages = (
        ("list", base, 60),
        ("rare search (zebra)", f"{base}?q=zebra", 60),
        ("filter by state", f"{base}?state__exact=expired", 50),
        ("change form", f"{base}{keys[ROWS // 2]}/change/", 150),
    )
    found = []
    with bed.served() as (port, web):
        for name, path, most in pages:
            connection, times = Connection(port), []
            one = request("GET", path, headers={"Cookie": cookie})
            for _ in range(3):
                answer = connection.send(one)
            if answer.status != 200:
                raise AssertionError(f"{path}: {answer.status} {answer.head!r}")
            with clock(bed, web) as took:
                times = [connection.send(one).first_byte * 1000 for _ in range(TIMES)]
            connection.close()
            queries = queries_of(lambda path=path: Client(headers={"Host": "127.0.0.1", "Cookie": cookie}).get(path))
            found.append(
                Result(
                    f"console at 100,000 payments, {name}",
                    "–",
                    f"{median(times):,.0f} ms",
                    "–",
                    f"{took.cpu * 1000 / TIMES:.0f}",
                    str(queries),
                    f"≤ {most} ms, ≤ 8 queries",
                )
            )
    return found
