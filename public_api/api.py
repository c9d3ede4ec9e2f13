"""The public API: /api/v1. Shape in, one domain call, shape out; sign-in is allauth headless under /api/v1/auth."""

from ninja import NinjaAPI, Swagger

from public_api import (
    attendance,
    documents,
    errors,
    events,
    invitations,
    me,
    members,
    organizers,
    organizing,
    payouts,
    plan_usage,
    plans,
    registrations,
)

DESCRIPTION = """
What attendees need, and thin doors to the operations that organizers automate.

* Ids are typed (`evt_…`), times ISO 8601 in UTC, money `{"amount": 12345, "currency": "USD"}` in minor units.
* Every error, whatever its status, is `{"error": {"code", "message", "details", "request_id"}}`; codes are a documented list.
* Requests that create or move money need an `Idempotency-Key`; repeating one replays its answer for 24 hours.
* Lists are read page by page: pass `next` as `cursor`.
* Public reads carry an `ETag`; send it as `If-None-Match`.
* Sign in under `/api/v1/auth/app` (then send `X-Session-Token`) or `/api/v1/auth/browser` (cookie, and `X-CSRFToken` with changes).
"""

api = NinjaAPI(
    title="CPD Platform API",
    version="1.0.0",
    description=DESCRIPTION,
    urls_namespace="api",
    docs=Swagger(settings={"persistAuthorization": False, "validatorUrl": None}),
)
errors.install(api)
api.add_router("", events.router, tags=["events"])
api.add_router("", registrations.router, tags=["registrations"])
api.add_router("", attendance.router, tags=["attendance"])
api.add_router("", documents.router, tags=["registrations"])
api.add_router("", me.router, tags=["me"])
api.add_router("", plan_usage.router, tags=["me"])
api.add_router("", plans.router, tags=["plans"])
api.add_router("", organizing.router, tags=["organizers"])
api.add_router("", payouts.router, tags=["payouts"])
api.add_router("", invitations.router, tags=["organizations"])
api.add_router("", members.router, tags=["organizations"])
api.add_router("", organizers.router, tags=["organizations"])
