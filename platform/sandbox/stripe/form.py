"""Stripe's form encoding: `a[b][0][c]=v`; https://docs.stripe.com/api."""

import re
from typing import Any
from urllib.parse import parse_qsl

_SEGMENT = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """A form body or query string as nested dictionaries and lists of strings; numbered keys become lists."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        bracket = key.find("[")
        path = [key] if bracket < 0 else [key[:bracket], *_SEGMENT.findall(key[bracket:])]
        _put(root, path, value)
    return {key: _lists(value) for key, value in root.items()}


def _put(root: dict[str, Any], path: list[str], value: str) -> None:
    at = root
    for segment in path[:-1]:
        below = at.get(segment or str(len(at)))
        if not isinstance(below, dict):
            below = at[segment or str(len(at))] = {}
        at = below
    at[path[-1] or str(len(at))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(below) for key, below in value.items()}
