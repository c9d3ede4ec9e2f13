"""What the clocks at the event show."""

from datetime import UTC, datetime

import pytest

from core.errors import InvalidInput
from events import local_times


class TestMoment:
    def test_is_what_the_zone_says_on_that_day(self) -> None:
        winter = local_times.moment(datetime.fromisoformat("2031-01-05T09:00"), "Europe/Berlin", field="starts_at")
        summer = local_times.moment(datetime.fromisoformat("2031-07-05T09:00"), "Europe/Berlin", field="starts_at")

        assert (winter.astimezone(UTC).hour, summer.astimezone(UTC).hour) == (8, 7)

    def test_refuses_an_hour_that_the_clocks_skip(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            local_times.moment(datetime.fromisoformat("2031-03-30T02:30"), "Europe/Berlin", field="starts_at")

        assert refused.value.field == "starts_at"
        assert str(refused.value) == "The clocks in Europe/Berlin are put forward over 02:30 on 30 March 2031; choose another time."

    def test_takes_the_first_of_an_hour_that_comes_twice(self) -> None:
        found = local_times.moment(datetime.fromisoformat("2031-10-26T02:30"), "Europe/Berlin", field="starts_at")

        assert found.astimezone(UTC) == datetime(2031, 10, 26, 0, 30, tzinfo=UTC)
