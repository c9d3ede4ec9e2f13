"""The two consoles: /staff/ for the platform's people, /console/ for organizers."""

from unfold.sites import UnfoldAdminSite


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]
    settings_name = "UNFOLD"


class OrganizerSite(UnfoldAdminSite):  # type: ignore[misc]
    settings_name = "UNFOLD_CONSOLE"


staff_site = StaffSite(name="admin")
console_site = OrganizerSite(name="console")
