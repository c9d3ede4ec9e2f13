"""Unfold's settings for the two consoles: /staff/ (UNFOLD) and /console/ (UNFOLD_CONSOLE)."""

from typing import Any

UNFOLD: dict[str, Any] = {"SITE_TITLE": "Staff console", "SITE_HEADER": "Staff console"}
UNFOLD_CONSOLE: dict[str, Any] = {"SITE_TITLE": "Organizer console", "SITE_HEADER": "Organizer console"}
