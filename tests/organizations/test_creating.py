"""New organizations, logos, the directory and profiles, one's own organizations."""

import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from PIL import Image

from audit.actor import Actor, StaffGroup
from audit.models import AuditEntry
from core.errors import InvalidInput, NotFound, PermissionRefused
from organizations import branding, creating
from organizations.models import Membership, Organization
from tests.draining import drain
from tests.factories.events import EventFactory
from tests.factories.organizations import OrganizationFactory
from tests.factories.people import Personas, UserFactory, actor, personas, staff
from tests.organizations.pictures import picture
from tests.public_api.calling import code, get, post, signed_in

pytestmark = pytest.mark.django_db
NEW = {"name": "Ada's Workshop", "kind": "personal", "country": "DE"}


@pytest.fixture
def people(settings: Any, tmp_path: Any) -> Personas:
    settings.MEDIA_ROOT = tmp_path
    return personas(payouts_usable=False)


class TestCreate:
    @pytest.mark.parametrize("kind", ["personal", "team"])
    def test_makes_the_person_its_admin_and_shows_nothing_in_public(self, kind: str) -> None:
        ada = UserFactory()
        made = creating.create(**{**NEW, "kind": kind}, by=actor(ada))

        assert (made.kind, made.country, made.is_public) == (kind, "DE", False)
        assert made.slug.startswith("adas-workshop-")
        assert Membership.objects.get(organization=made).role == "admin"
        assert AuditEntry.objects.get(action="organization.created").organization_id == made.pk

    @pytest.mark.gap("3.1")
    def test_asks_for_a_verified_address_and_an_account(self) -> None:
        with pytest.raises(creating.EmailNotVerified):
            creating.create(**NEW, by=actor(UserFactory(verified=False)))
        with pytest.raises(NotFound):
            creating.create(**NEW, by=Actor.anonymous())
        assert not Organization.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", " "), ("name", "x" * 201), ("name", "a\x07b"), ("kind", "company"), ("country", "Germany"), ("country", "1D")],
    )
    def test_refuses_what_nobody_could_use(self, field: str, value: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            creating.create(**{**NEW, field: value}, by=actor(UserFactory()))
        assert refused.value.field == field

    def test_stops_at_so_many_a_day(self, settings: Any) -> None:
        settings.ORGANIZATIONS_A_DAY = 1
        by = actor(UserFactory())
        creating.create(**NEW, by=by)
        with pytest.raises(creating.OrganizationLimit):
            creating.create(**NEW, by=by)

    def test_gives_two_of_one_name_different_addresses(self) -> None:
        slugs = {creating.create(**NEW, by=actor(UserFactory())).slug for _ in range(2)}
        assert len(slugs) == 2


@pytest.mark.rule("S22")
class TestLogo:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_is_kept_as_a_small_png_of_its_pixels_alone(self, people: Personas, kind: str) -> None:
        content = picture((1200, 300), kind) + b"<script>alert(1)</script>"
        made = branding.set_logo(organization_id=people.organization.pk, content=content, by=people.as_alice)

        kept = branding.logo(made)
        with Image.open(io.BytesIO(kept)) as found:
            assert (found.format, found.size) == ("PNG", (512, 128))
        assert b"script" not in kept

    def test_leaves_no_earlier_file_behind(self, people: Personas, settings: Any, tmp_path: Any) -> None:
        settings.MEDIA_ROOT = tmp_path
        for _ in range(2):
            branding.set_logo(organization_id=people.organization.pk, content=picture(), by=people.as_alice)
        drain()
        assert len(list(tmp_path.rglob("*.png"))) == 1
        branding.remove_logo(organization_id=people.organization.pk, by=people.as_alice)
        drain()
        assert list(tmp_path.rglob("*.png")) == []

    def test_drops_what_the_file_says_besides(self, people: Personas) -> None:
        exif = Image.Exif()
        exif[0x010E] = "secret place"
        kept = branding.redrawn(picture(kind="JPEG", exif=exif))
        assert b"secret place" in picture(kind="JPEG", exif=exif)
        assert b"secret place" not in kept

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"GIF89a",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            picture()[:60],
            picture((16, 16)),
            picture(kind="GIF"),
            b"x" * 2_100_000,
        ],
    )
    def test_is_no_other_file(self, people: Personas, content: bytes) -> None:
        with pytest.raises(InvalidInput) as refused:
            branding.set_logo(organization_id=people.organization.pk, content=content, by=people.as_alice)
        assert refused.value.field == "upload"
        assert not Organization.objects.get(pk=people.organization.pk).logo

    def test_never_unfolds_to_more_than_it_may(self) -> None:
        with pytest.raises(InvalidInput, match="16 million"):
            branding.redrawn(picture((5000, 4000)))

    def test_is_for_admins_and_support(self, people: Personas) -> None:
        for by, refusal in (
            (people.as_bob, PermissionRefused),
            (people.as_charlie, NotFound),
            (staff(StaffGroup.FINANCE), PermissionRefused),
        ):
            with pytest.raises(refusal):
                branding.set_logo(organization_id=people.organization.pk, content=picture(), by=by)
        branding.set_logo(organization_id=people.organization.pk, content=picture(), by=staff(StaffGroup.SUPPORT))
        branding.remove_logo(organization_id=people.organization.pk, by=people.as_alice)
        with pytest.raises(branding.NoLogo):
            branding.remove_logo(organization_id=people.organization.pk, by=people.as_alice)

    def test_colour_is_a_colour(self, people: Personas) -> None:
        with pytest.raises(IntegrityError, match="organization_color_hex"), transaction.atomic():
            Organization.objects.filter(pk=people.organization.pk).update(brand_color='"><b>')


@pytest.fixture
def public(people: Personas) -> Organization:
    Organization.objects.filter(pk=people.organization.pk).update(is_public=True, brand_color="#1f4fd8", website="https://agard.example/")
    return Organization.objects.get(pk=people.organization.pk)


class TestDirectory:
    def test_shows_those_that_opted_in_and_work(self, people: Personas, public: Organization) -> None:
        OrganizationFactory(name="Closed", is_public=True, is_active=False)
        for text in (Client().get("/organizers").content.decode(), get(Client(), "/public/organizations").content.decode()):
            assert "Institute" in text
            assert "Elsewhere" not in text
            assert "Closed" not in text

    def test_goes_on_by_name_and_finds_by_words(self) -> None:
        for number in range(25):
            OrganizationFactory(name=f"School {number:02}", is_public=True)
        first = get(Client(), "/public/organizations?limit=20").json()
        rest = get(Client(), f"/public/organizations?limit=20&cursor={first['next']}").json()
        names = [one["name"] for one in first["items"] + rest["items"]]
        assert names == [f"School {number:02}" for number in range(25)]
        assert rest["next"] is None
        assert [one["name"] for one in get(Client(), "/public/organizations?search=scho 07").json()["items"]] == ["School 07"]
        assert code(get(Client(), "/public/organizations?cursor=nonsense")) == "INVALID_CURSOR"

        page = Client().get("/organizers")
        assert b"School 19" in page.content
        more = Client().get("/organizers", {"after": page.context["more"]}).content
        assert b"School 20" in more
        assert b"School 19" not in more
        assert Client().get("/organizers?after=nonsense&search=07").status_code == 200

    def test_carries_an_etag(self, public: Organization) -> None:
        answer = get(Client(), "/public/organizations")
        assert get(Client(), "/public/organizations", If_None_Match=answer["ETag"]).status_code == 304
        Organization.objects.filter(pk=public.pk).update(description="New")
        assert get(Client(), "/public/organizations", If_None_Match=answer["ETag"]).status_code == 200


class TestProfile:
    def test_shows_itself_and_its_upcoming_public_events(self, people: Personas, public: Organization) -> None:
        EventFactory(organization=public, host=people.alice, title="Open evening")
        EventFactory(organization=public, host=people.alice, title="By link only", is_listed=False)
        branding.set_logo(organization_id=public.pk, content=picture(), by=people.as_alice)

        for text in (
            Client().get(f"/organizers/{public.slug}").content.decode(),
            get(Client(), f"/public/organizations/{public.slug}").content.decode(),
            get(Client(), f"/public/organizations/{public.public_id}").content.decode(),
        ):
            assert "Open evening" in text
            assert "By link only" not in text
            assert "#1f4fd8" in text
            assert "alice" not in text.lower()
        logo = Client().get(f"/organizers/{public.slug}/logo.png")
        assert (logo.status_code, logo["Content-Type"], logo["X-Content-Type-Options"]) == (200, "image/png", "nosniff")

    def test_is_absent_unless_it_opted_in(self, people: Personas) -> None:
        for path in (f"/organizers/{people.organization.slug}", f"/organizers/{people.organization.slug}/logo.png", "/organizers/nobody"):
            assert Client().get(path).status_code == 404
        assert get(Client(), f"/public/organizations/{people.organization.slug}").status_code == 404


class TestMyOrganizations:
    def test_lists_only_mine_and_makes_a_new_one(self, people: Personas) -> None:
        bob = signed_in(people.bob)
        assert "Elsewhere" not in bob.get("/organizations").content.decode()
        answer = bob.post("/organizations/new", {"name": "Bob's", "kind": "team", "country": "de"}, follow=True)
        assert "you are its admin" in answer.content.decode()
        assert Membership.objects.filter(user=people.bob, role="admin").count() == 1
        wrong = bob.post("/organizations/new", {"name": "Bob's", "kind": "team", "country": "11"})
        assert "two letters, such as DE" in wrong.content.decode()

    def test_is_left_with_a_successor(self, people: Personas) -> None:
        EventFactory(organization=people.organization, host=people.bob)
        bob, url = signed_in(people.bob), f"/organizations/{people.organization.public_id}/leave"
        assert "1 event" in bob.get(url).content.decode()
        assert "name a member who takes over" in bob.post(url).content.decode()
        heir = Membership.objects.get(user=people.alice)
        assert bob.post(url, {"successor": heir.public_id})["Location"] == "/organizations"
        assert Membership.objects.get(user=people.bob).ended_at is not None

    def test_keeps_strangers_out(self, people: Personas) -> None:
        url = f"/organizations/{people.organization.public_id}/leave"
        assert signed_in(people.charlie).post(url).status_code == 404
        assert Client().get("/organizations")["Location"].startswith("/accounts/login/")
        assert "needs an admin" in signed_in(people.alice).post(url).content.decode()

    def test_is_made_by_the_api_once(self, people: Personas) -> None:
        bob = signed_in(people.bob)
        first, again = (post(bob, "/organizations", NEW, key="once") for _ in range(2))
        assert (first.status_code, first.json()) == (201, again.json())
        assert Organization.objects.filter(name=NEW["name"]).count() == 1
        assert post(Client(), "/organizations", NEW).status_code == 401
        assert code(post(bob, "/organizations", {**NEW, "kind": "firm"})) == "VALIDATION_ERROR"
