"""Uploaded files; https://docs.stripe.com/api/files. What was uploaded is known by name, size and type; the bytes are not kept."""

import json
from typing import Any

from sandbox.stripe.errors import Json, invalid
from sandbox.stripe.listing import page
from sandbox.stripe.params import EXPAND, PAGE, Moment, Text
from sandbox.stripe.routing import Call, Route
from sandbox.stripe.world import World, stamp

EVIDENCE = "dispute_evidence"
_LARGEST = 5 * 1024 * 1024
_PURPOSES = (EVIDENCE, "account_requirement", "identity_document", "business_logo")


def create(world: World, call: Call) -> Json:
    found = _uploaded(call.params["file"])
    if found["size"] > _LARGEST:
        raise invalid("Invalid file: files with this purpose must be at most 5 MB.", param="file")
    if not found["type"]:
        raise invalid("Invalid file type: files with purpose dispute_evidence must be a PDF, JPEG or PNG.", param="file")
    file = stamp(
        world,
        "file",
        "file",
        expires_at=None,
        filename=found["name"],
        links={"object": "list", "data": [], "has_more": False, "url": "/v1/file_links"},
        purpose=call.params["purpose"],
        size=found["size"],
        title=None,
        type=found["type"],
        url=None,
    )
    del file["livemode"]  # this object has none
    return world.store.insert(file)


def _uploaded(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        return {"name": str(found["name"]), "size": int(found["size"]), "type": str(found["type"])}
    except (ValueError, KeyError, TypeError) as error:
        raise invalid("Invalid file: send it as multipart/form-data.", param="file", stored=False) from error


def retrieve(world: World, call: Call) -> Json:
    return world.store.require("file", call.id)


def index(world: World, call: Call) -> Json:
    return page(world, call, "file", "/v1/files", equal={"purpose": call.params.get("purpose")})


ROUTES = [
    Route(
        "POST",
        "/v1/files",
        create,
        {"expand": EXPAND, "purpose": Text(required=True, choices=_PURPOSES), "file": Text(required=True)},
    ),
    Route("GET", "/v1/files", index, {**PAGE, "created": Moment(), "purpose": Text(choices=_PURPOSES)}),
]
