"""Unfold's settings for the two consoles: /staff/ (UNFOLD) and /console/ (UNFOLD_CONSOLE). Each has its own colour, sidebar and search."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.functional import lazy

from config.env import ENVIRONMENT

_TONES = {"production": "danger", "demo": "info", "test": "warning"}
_INDIGO = {
    "50": "oklch(96.2% .018 272.314)",
    "100": "oklch(93% .034 272.788)",
    "200": "oklch(87% .065 274.039)",
    "300": "oklch(78.5% .115 274.713)",
    "400": "oklch(67.3% .182 276.935)",
    "500": "oklch(58.5% .233 277.117)",
    "600": "oklch(51.1% .262 276.966)",
    "700": "oklch(45.7% .24 277.023)",
    "800": "oklch(39.8% .195 277.366)",
    "900": "oklch(35.9% .144 278.697)",
    "950": "oklch(25.7% .09 281.288)",
}
_TEAL = {
    "50": "oklch(98.4% .014 180.72)",
    "100": "oklch(95.3% .051 180.801)",
    "200": "oklch(91% .096 180.426)",
    "300": "oklch(85.5% .138 181.071)",
    "400": "oklch(77.7% .152 181.912)",
    "500": "oklch(60% .118 184.704)",
    "600": "oklch(51.1% .096 186.391)",
    "700": "oklch(43.7% .078 188.216)",
    "800": "oklch(38.6% .063 188.416)",
    "900": "oklch(33.6% .052 188.5)",
    "950": "oklch(27.7% .046 192.524)",
}
# Text on tinted rows and badges needs more contrast than Unfold's greys give (WCAG 2.2 AA, 4.5:1).
_FONT: dict[str, str] = {}

_static = lazy(static, str)


def environment(_request: Any) -> list[str]:
    """The badge beside the page's title: nobody takes one environment for another."""
    return [ENVIRONMENT.capitalize(), _TONES.get(ENVIRONMENT, "warning")]


def _settings(title: str, symbol: str, colours: dict[str, str]) -> dict[str, Any]:
    return {
        "SITE_TITLE": title,
        "SITE_HEADER": title,
        "SITE_SYMBOL": symbol,
        "SITE_URL": None,
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "ENVIRONMENT": "config.unfold.environment",
        "COLORS": {"primary": colours, "font": _FONT},
        "STYLES": [_static("admin_ext/console.css")],
        "SCRIPTS": [_static("admin_ext/console.js")],
        "COMMAND": {"search_models": False, "show_history": False},
        "ACCOUNT": {
            "navigation": [
                {"title": "Password", "link": reverse_lazy("account_change_password")},
                {"title": "Second factor", "link": reverse_lazy("mfa_index")},
            ]
        },
        "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "admin_ext.sidebar.navigation"},
    }


UNFOLD = _settings("Staff console", "admin_panel_settings", _INDIGO)
UNFOLD_CONSOLE = _settings("Organizer console", "storefront", _TEAL)
