"""Calling the API as different people."""

import json
from typing import Any
from uuid import uuid4

from django.test import Client

from accounts.models import User

V1 = "/api/v1"


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """headers: with _ for -; a body that is not given is not sent."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic(method, f"{V1}{path}", content, "application/json", headers=given)


def post(client: Client, path: str, body: Any = None, key: str | None = None, **headers: str) -> Any:
    """With an Idempotency-Key of its own unless one is given; "" sends none."""
    key = uuid4().hex if key is None else key
    return call(client, "POST", path, body, **({"Idempotency_Key": key} if key else {}), **headers)


def get(client: Client, path: str, **headers: str) -> Any:
    return call(client, "GET", path, **headers)


def signed_in(user: User, *, with_csrf_checks: bool = False) -> Client:
    client = Client(enforce_csrf_checks=with_csrf_checks)
    client.force_login(user)
    return client


def code(response: Any) -> str:
    found: str = response.json()["error"]["code"]
    return found
