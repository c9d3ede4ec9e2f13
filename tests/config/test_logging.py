"""What may not stand in a log."""

import pytest

from config.logging_setup import scrub

TOKEN = "aB3-" * 10 + "xyz"


class TestScrub:
    @pytest.mark.parametrize(
        "line",
        [
            "Forbidden: /invitations/{}",
            "Not Found: /api/v1/invitations/{}",
            "GET /accounts/login/?next=%2Finvitations%2F{}",
            "GET /accounts/login/?next=/invitations/{}&x=1",
            "Not Found: /exports/{}",
            "GET /accounts/password/reset/key/1f-{}/",
            "GET /registrations/reg_1?key={}",
        ],
    )
    def test_hides_what_opens_something(self, line: str) -> None:
        assert TOKEN not in scrub(None, "info", {"event": line.format(TOKEN)})["event"]

    @pytest.mark.parametrize(
        "line", ["POST /api/v1/organizations/org_1/invitations/inv_01m84czcm6e4pb9qaznsrwrwyk/resend", "GET /exports/"]
    )
    def test_leaves_what_is_no_secret(self, line: str) -> None:
        assert scrub(None, "info", {"event": line})["event"] == line
