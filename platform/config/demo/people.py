"""Who is in the demo: the people one signs in as, and the crowd that attends."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password

from accounts.models import User
from config.demo.ids import key

PASSWORD = "demo-is-open-to-all"  # noqa: S105  the demo's only password, printed at its start
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)  # of keys that shall not depend on the day of the seed


@dataclass(frozen=True, slots=True)
class SignIn:
    """url: the path where this person's work begins. staff_groups: of the platform's own people."""

    role: str
    email: str
    name: str
    url: str
    staff_groups: tuple[str, ...] = ()
    password: str = PASSWORD

    @property
    def user_id(self) -> UUID:
        return key(EPOCH, "user", self.email)


FINANCE = SignIn("finance", "finance@cpd.example", "Fiona Marsh", "/staff/", ("finance",))
FINANCE_SECOND = SignIn("finance, the second person", "finance2@cpd.example", "Felix Okoro", "/staff/", ("finance",))
SUPPORT = SignIn("support", "support@cpd.example", "Sol Reyes", "/staff/", ("support",))
AUDITOR = SignIn("auditor", "auditor@cpd.example", "Aino Virtanen", "/staff/", ("auditor",))
ADMIN = SignIn("organizer, admin of Riverside", "admin@riverside.example", "Rita Delgado", "/console/")
ORGANIZER = SignIn("organizer at Riverside, own events only", "organizer@riverside.example", "Omar Haddad", "/console/")
OTHER_ADMIN = SignIn("organizer of another organization", "admin@nordlicht.example", "Nele Brandt", "/console/")
OWNER = SignIn("owner of a personal organization", "amara@osei.example", "Dr. Amara Osei", "/console/")
ATTENDEE = SignIn("attendee", "attendee@mail.example", "Alex Morgan", "/")
FORMER = "director@harbor.example"  # whose account was switched off
SIGN_INS = (FINANCE, FINANCE_SECOND, SUPPORT, AUDITOR, ADMIN, ORGANIZER, OTHER_ADMIN, OWNER, ATTENDEE)

# fmt: off
_FIRST = [
    "Ada", "Bilal", "Chen", "Daniela", "Emeka", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kenji", "Leila", "Mateo", "Nora", "Oskar",
    "Priya", "Quentin", "Rosa", "Sami", "Tara", "Umar", "Vera", "Wanjiru", "Ximena", "Yusuf", "Zofia", "Aya", "Björn", "Chidi", "Dunja",
    "Elif", "Fumiko",
]
_LAST = [
    "Abbott", "Bauer", "Castillo", "Dvořák", "Eriksen", "Fontaine", "García", "Hashimoto", "Ivanova", "Jansen", "Kimura", "Lindqvist",
    "Moreau", "Nakamura", "Ong", "Petrov", "Quispe", "Rossi", "Suzuki", "Tanaka", "Ueda", "Vargas", "Weber", "Yilmaz", "Zhang",
    "Al-Sabah", "Brown", "Cohen", "Diallo", "Evans", "Fischer", "Green",
]
# fmt: on
_COUNTRIES = ("US", "US", "DE", "JP", "KW", "GB", "FR")
_HAS_ACCOUNT_EVERY = 3


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who attends; user_id None: a guest. country: two letters, decides the tax of what happens online."""

    name: str
    email: str
    country: str
    user_id: UUID | None


def crowd() -> list[Person]:
    """About a thousand people, every third with an account; the attendee whom one signs in as comes first."""
    people = [Person(ATTENDEE.name, ATTENDEE.email, "US", ATTENDEE.user_id)]
    for number, (first, last) in enumerate((first, last) for last in _LAST for first in _FIRST):
        email = f"{first}.{last}.{number}@mail.example".lower().encode("ascii", "ignore").decode()
        user_id = key(EPOCH, "user", email) if number % _HAS_ACCOUNT_EVERY == 0 else None
        people.append(Person(f"{first} {last}", email, _COUNTRIES[number % len(_COUNTRIES)], user_id))
    return people


def user_rows(since: datetime) -> tuple[list[User], list[EmailAddress]]:
    """Accounts and their verified addresses. Only the sign-ins have a password; it is hashed once, hashing is slow by design."""
    hashed, unusable = make_password(PASSWORD, salt="demodemodemodemodemodemo"), "!no-password-in-the-demo"
    users = [
        User(
            id=one.user_id,
            email=one.email,
            name=one.name,
            password=hashed,
            staff_groups=list(one.staff_groups),
            created_at=since,
            updated_at=since,
        )
        for one in SIGN_INS
    ]
    users += [
        User(id=one.user_id, email=one.email, name=one.name, password=unusable, created_at=since, updated_at=since)
        for one in crowd()[1:]
        if one.user_id
    ]
    former = key(EPOCH, "user", FORMER)
    users.append(User(id=former, email=FORMER, name="Hugo Lang", password=unusable, is_active=False, created_at=since, updated_at=since))
    return users, [EmailAddress(user_id=user.pk, email=user.email, verified=True, primary=True) for user in users]
