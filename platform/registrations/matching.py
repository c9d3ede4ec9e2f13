"""Who a line of a file is: by address, then by a remembered alias, then by name; otherwise who it might be. Pure."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from uuid import UUID

SUGGESTED = 5
_LIKELY = 0.5  # of 1: below it two names have next to nothing in common
_LOOKED_AT = 300  # people who share the beginning of a word with the name
_BEGINNING = 2


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a place."""

    registration_id: UUID
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Match:
    """by: "email", "alias" or "name"; suggestions: the likeliest first, where nobody is found."""

    person: Person | None
    by: str = ""
    suggestions: tuple[Person, ...] = ()


def folded(text: str) -> str:
    """Lower case without accents, marks or anything in brackets: "Ångström, Ada (iPhone)" is "angstrom ada"."""
    text = re.sub(r"\([^)]*\)", " ", text) or text
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[^\W_]+(?:[@.+\-][^\W_]+)*" if "@" in plain else r"[^\W_]+", plain))


class People:
    """The people of an event, in the orders that matching asks for. aliases: folded alias -> address."""

    def __init__(self, people: Iterable[Person], aliases: Mapping[str, str]) -> None:
        self.aliases = aliases
        self.by_email: dict[str, Person] = {}
        self.by_name: dict[str, list[Person]] = defaultdict(list)
        self.by_beginning: dict[str, list[Person]] = defaultdict(list)
        for person in people:
            self.by_email[person.email.lower()] = person
            self.by_name[_sorted(person.name)].append(person)
            for beginning in _beginnings(person.name):
                self.by_beginning[beginning].append(person)

    def match(self, *, email: str, name: str) -> Match:
        """A name that two people have is nobody's: both are suggested."""
        if email.lower() in self.by_email:
            return Match(self.by_email[email.lower()], "email")
        for alias in filter(None, (folded(email), folded(name))):
            found = self.by_email.get(self.aliases.get(alias, ""))
            if found is not None:
                return Match(found, "alias")
        namesakes = self.by_name.get(_sorted(name), []) if folded(name) else []
        if len(namesakes) == 1:
            return Match(namesakes[0], "name")
        return Match(None, suggestions=tuple(namesakes[:SUGGESTED]) or self.suggested(email=email, name=name))

    def suggested(self, *, email: str, name: str) -> tuple[Person, ...]:
        said = name or email.partition("@")[0]
        looked_at = {one.registration_id: one for part in _beginnings(said) for one in self.by_beginning.get(part, [])[:_LOOKED_AT]}
        ranked = sorted(((_likeness(said, email, one), one) for one in looked_at.values()), key=lambda pair: (-pair[0], pair[1].email))
        return tuple(one for likeness, one in ranked[:SUGGESTED] if likeness >= _LIKELY)


def _likeness(name: str, email: str, person: Person) -> float:
    by_name = max(SequenceMatcher(None, order(name), order(person.name)).ratio() for order in (folded, _sorted))
    local = email.partition("@")[0]
    return max(by_name, SequenceMatcher(None, local, person.email.partition("@")[0]).ratio() if local else 0)


def _sorted(name: str) -> str:
    """Family name first or last, it is the same name."""
    return " ".join(sorted(folded(name).split()))


def _beginnings(name: str) -> set[str]:
    return {word[:_BEGINNING] for word in folded(name).split()}
