"""Places at events, who attended what, and what that earned."""

from registrations.models.attendance import AttendanceInterval, AttendanceOverride, CheckIn
from registrations.models.attendance_file import AttendanceLine, AttendeeAlias
from registrations.models.registration import TAKES_SEAT, Registration
from registrations.models.verdict import Verdict

__all__ = [
    "TAKES_SEAT",
    "AttendanceInterval",
    "AttendanceLine",
    "AttendanceOverride",
    "AttendeeAlias",
    "CheckIn",
    "Registration",
    "Verdict",
]
