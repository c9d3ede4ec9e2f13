"""A dispute in the console: what can be done about it, its documents, and who sees them."""

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from billing.models import Dispute, DisputeFile, DisputeResponse
from tests.admin_ext import making
from tests.admin_ext.conftest import People, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.gap("2.2")]


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def dispute(people: People) -> Dispute:
    return making.dispute(making.payment(people.north))


def page(site: str, dispute: Dispute, name: str = "change") -> str:
    return f"/{site}/billing/dispute/{dispute.public_id}/{name}/"


def attach(client: Any, site: str, dispute: Dispute, content: bytes = b"%PDF-1.7 list", **more: Any) -> Any:
    upload = SimpleUploadedFile("list.pdf", content)
    return client.post(page(site, dispute, "attach"), {"kind": "receipt", "upload": upload, "token": more.get("token", "t1")}, follow=True)


class TestDispute:
    def test_offers_what_can_be_done_now(self, people: People, dispute: Dispute) -> None:
        client = sign_in(people.finance)
        shown = client.get(page("staff", dispute)).content.decode()
        assert all(label in shown for label in ("Evidence…", "Attach a document…", "Accept…"))
        assert "Submit evidence…" not in shown
        client.post(page("staff", dispute, "evidence"), {"uncategorized_text": "She was there.", "token": "t1"})
        shown = client.get(page("staff", dispute)).content.decode()
        assert "Submit evidence…" in shown
        assert "She was there." in shown

        Dispute.objects.update(status="under_review")
        shown = client.get(page("staff", dispute)).content.decode()
        assert not any(label in shown for label in ("Evidence…", "Attach a document…", "Accept…", "Submit evidence…"))

    def test_is_answered_by_the_organizations_admin(self, people: People, dispute: Dispute) -> None:
        client = sign_in(people.alice)
        assert "list.pdf" in attach(client, "console", dispute).content.decode()
        client.post(page("console", dispute, "submit"), {"token": "t2"})
        assert DisputeResponse.objects.get().requested_by == people.alice

    def test_says_what_is_wrong_with_a_document(self, people: People, dispute: Dispute) -> None:
        answer = attach(sign_in(people.alice), "console", dispute, b"<svg/>")
        assert "Send a PDF, PNG or JPEG file." in answer.content.decode()
        assert not DisputeFile.objects.exists()

    def test_shows_an_empty_dialog_what_it_needs(self, people: People, dispute: Dispute) -> None:
        shown = sign_in(people.finance).get(page("staff", dispute, "attach")).content.decode()
        assert 'enctype="multipart/form-data"' in shown
        facts = sign_in(people.finance).get(page("staff", dispute, "accept")).content.decode()
        assert "the organization, with Stripe&#x27;s fee" in facts

    def test_stands_in_the_work_queue(self, people: People, dispute: Dispute) -> None:
        assert "Disputes to answer" in sign_in(people.finance).get("/staff/").content.decode()

    def test_is_listed_by_the_day_it_is_due(self, people: People, dispute: Dispute) -> None:
        later = making.dispute(making.payment(people.north))
        Dispute.objects.filter(pk=dispute.pk).update(due_by=timezone.now() + timedelta(days=1))
        Dispute.objects.filter(pk=later.pk).update(due_by=timezone.now() + timedelta(days=5))
        client = sign_in(people.finance)
        (queue,) = re.findall(r'href="([^"]*/dispute/\?[^"]*)"', client.get("/staff/").content.decode())
        shown = client.get(html.unescape(queue)).content.decode()
        assert shown.index(dispute.public_id) < shown.index(later.public_id)

    def test_shows_how_large_a_document_is(self, people: People, dispute: Dispute) -> None:
        assert "13\xa0bytes" in attach(sign_in(people.alice), "console", dispute).content.decode()


class TestDocuments:
    def test_are_for_those_who_see_the_dispute(self, people: People, dispute: Dispute) -> None:
        attach(sign_in(people.alice), "console", dispute)
        file = DisputeFile.objects.get()
        address = f"{page('console', dispute, 'document')}?file={file.public_id}"
        mine = sign_in(people.alice).get(address)
        assert mine.content == b"%PDF-1.7 list"
        assert (mine["Content-Disposition"], mine["X-Content-Type-Options"]) == ('attachment; filename="list.pdf"', "nosniff")
        other = making.dispute(making.payment(people.north))
        for person, wrong in (
            (people.charlie, address),
            (people.alice, page("console", dispute, "document")),
            (people.alice, f"{page('console', other, 'document')}?file={file.public_id}"),
        ):
            assert sign_in(person).get(wrong).status_code == 404
