"""Which function answers which request of the API."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.errors import Json, unknown_route
from sandbox.stripe.params import Field
from sandbox.stripe.world import World


@dataclass(frozen=True)
class Call:
    """One request on its way through a route; params hold typed values, expand taken out."""

    id: str  # the id in the path, or ""
    params: dict[str, Any]
    path: str = ""
    account: str = ""  # the connected account that is asked about, "" for the platform

    def metadata(self) -> dict[str, str]:
        """The metadata of a new object."""
        given = self.params.get("metadata") or {}
        return {key: value for key, value in given.items() if value != ""}


type Handler = Callable[[World, Call], Json]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str  # "{id}" stands for one segment
    handle: Handler
    fields: Mapping[str, Field] = field(default_factory=dict)
    for_accounts: bool = False  # whether it answers for connected accounts too


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._with_id: list[tuple[Route, list[str]]] = []
        for route in routes:
            if "{id}" in route.pattern:
                self._with_id.append((route, route.pattern.split("/")))
            else:
                self._exact[route.method, route.pattern] = route

    def match(self, method: str, path: str) -> tuple[Route, str]:
        """The route and the id in the path. Raises Stripe's 404 for an unknown URL."""
        exact = self._exact.get((method, path))
        if exact:
            return exact, ""
        segments = path.split("/")
        for route, pattern in self._with_id:
            if route.method == method and len(pattern) == len(segments):
                pairs = list(zip(pattern, segments, strict=True))
                if all(known in ("{id}", given) for known, given in pairs):
                    return route, next(given for known, given in pairs if known == "{id}")
        raise unknown_route(method, path)
