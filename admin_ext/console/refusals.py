"""From a refusal to a sentence on the page the person came from; never a stack trace, never a silent nothing."""

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django_fsm import TransitionNotAllowed

from accounts import second_factor
from core.errors import DomainError, NotFound, StepUpRequired

REFUSALS = (DomainError, TransitionNotAllowed)


def in_words(refusal: Exception) -> str:
    if isinstance(refusal, DomainError):
        return str(refusal)
    return "This has changed since you opened the page; look at its state now, then decide again."


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Leave for `url`, also from inside a dialog, which htmx loaded."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def step_up(request: HttpRequest, *, back: str) -> HttpResponse:
    """To allauth's page that asks for the second factor again, and from there back."""
    if not is_mfa_enabled(request.user):
        messages.warning(request, "Set up a second factor first; money only moves with one.")
    return go(request, second_factor.page_that_asks(request, back=back))


def sentence(request: HttpRequest, refusal: Exception, *, back: str) -> HttpResponse:
    """Tell the person why not, on the page at `back`. Raises Http404 for what may not be seen."""
    if isinstance(refusal, NotFound):
        raise Http404(str(refusal))
    if isinstance(refusal, StepUpRequired):
        return step_up(request, back=back)
    messages.error(request, in_words(refusal))
    return go(request, back)
