"""A first visit to a running demo: one page, one call of the API, one sign-in to the staff console. $1: its address."""

import http.cookiejar
import json
import re
import sys
import urllib.parse
import urllib.request

FINANCE, PASSWORD = "finance@cpd.example", "demo-is-open-to-all"


def visit(site: str) -> None:
    """Raises AssertionError or URLError where something is not as it should be."""
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))

    page = browser.open(f"{site}/", timeout=20).read().decode()
    say("page", "/", "<h1" in page)
    events = json.load(browser.open(f"{site}/api/v1/events", timeout=20))
    say("API", f"/api/v1/events: {len(events['items'])} events", bool(events["items"]))

    form = browser.open(f"{site}/accounts/login/?next=/staff/", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    values = {"csrfmiddlewaretoken": token[1] if token else "", "login": FINANCE, "password": PASSWORD, "next": "/staff/"}
    request = urllib.request.Request(f"{site}/accounts/login/", data=urllib.parse.urlencode(values).encode())  # noqa: S310  our own address
    request.add_header("Referer", f"{site}/accounts/login/")
    answer = browser.open(request, timeout=20)
    say("sign-in", f"{answer.url}: {answer.status}", answer.url == f"{site}/staff/" and answer.status == 200)


def say(what: str, found: str, is_right: bool) -> None:
    sys.stdout.write(f"{what}: {found}\n")
    if not is_right:
        sys.exit(f"{what} is not as it should be.")


if __name__ == "__main__":
    visit(sys.argv[1])
