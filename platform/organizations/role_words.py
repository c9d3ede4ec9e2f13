"""What a role means, in a sentence that somebody understands who has never seen the console."""

from organizations.models import Role

MEANS: dict[str, str] = {
    Role.ADMIN: "May do everything for the organization: its events and money, its people, its profile.",
    Role.ORGANIZER: "May create and run events, look after registrations and refund them.",
    Role.COURSE_MANAGER: "May create and run courses, grade, and invite instructors.",
    Role.INSTRUCTOR: "May teach and grade in the courses that they are assigned to.",
}
# What joining never touches; acceptance of an invitation says it before anything happens.
STAYS_PERSONAL = "Your own account, plan, registrations and certificates stay yours, and so does whatever you run in other organizations."
