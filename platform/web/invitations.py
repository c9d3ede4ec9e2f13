"""An invitation as its link shows it: what joining means, before anything happens; then yes or no."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from core.errors import DomainError, NotFound
from organizations import invitation_answers
from web.acting import actor


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The link in the mail. A GET changes nothing: mail programs follow links by themselves."""
    try:
        answer = _answered(request, token) if request.method == "POST" else _shown(request, token)
    except NotFound as error:
        raise Http404 from error
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _shown(request: HttpRequest, token: str) -> HttpResponse:
    offered = invitation_answers.look(token=token, by=actor(request))
    back = urlencode({REDIRECT_FIELD_NAME: request.path})
    context: dict[str, Any] = {
        "offered": offered,
        "invitation": offered.invitation,
        "sign_in_url": f"{reverse('account_login')}?{back}",
        "sign_up_url": f"{reverse('account_signup')}?{back}",
        "sign_out_url": f"{reverse('account_logout')}?{back}",
    }
    status = offered.refusal.http_status if offered.refusal else 200
    return render(request, "web/invitation.html", context, status=status)


def _answered(request: HttpRequest, token: str) -> HttpResponse:
    by = actor(request)
    try:
        if request.POST.get("answer") == "decline":
            invitation_answers.decline(token=token, by=by)
            return render(request, "web/declined.html")
        if by.user_id is None:
            return redirect(f"{reverse('account_login')}?{urlencode({REDIRECT_FIELD_NAME: request.path})}")
        membership = invitation_answers.accept(token=token, by=by)
    except NotFound:
        raise
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return _shown(request, token)
    messages.success(request, f"You work for {membership.organization} now.")
    return redirect("web:organizations")
