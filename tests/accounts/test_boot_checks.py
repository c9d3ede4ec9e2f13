"""Production refuses to start with unsafe settings: shown by starting it."""

import os
import secrets
import subprocess
import sys

import pytest

from config.env import BASE_DIR

pytestmark = [pytest.mark.rule("S16")]
SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": secrets.token_urlsafe(60),
    "BASE_URL": "https://cpd.example.org",
    "ALLOWED_HOSTS": "cpd.example.org",
    "EMAIL_URL": "smtp://mail.example.org:25",
    "DEFAULT_FROM_EMAIL": "CPD <no-reply@cpd.example.org>",
    "STRIPE_SECRET_KEY": "sk_test_" + "a" * 24,
    "STRIPE_WEBHOOK_SECRETS": "whsec_" + "b" * 24,
}


def check(**changed: str | None) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {name: value for name, value in {**inherited, **SAFE, **changed}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "check"],
        cwd=BASE_DIR,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_starts_with_safe_settings() -> None:
    done = check()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "BASE_URL", "EMAIL_URL", "DEFAULT_FROM_EMAIL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"]
)
def test_names_the_setting_that_is_missing(name: str) -> None:
    done = check(**{name: None})
    assert done.returncode != 0
    assert f"Set {name}" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "changeme", "SECRET_KEY is guessable"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must name"),
        ("BASE_URL", "http://cpd.example.org", "BASE_URL must begin with https"),
        ("EMAIL_URL", "file:///tmp/mail", "EMAIL_URL must name a mail server"),
        ("STRIPE_API_BASE", "http://127.0.0.1:12111", "STRIPE_API_BASE must be"),
        ("STRIPE_SECRET_KEY", "sk_test_sandbox", "STRIPE_SECRET_KEY is the stand-in's"),
    ],
)
def test_refuses_an_unsafe_value_and_says_what_to_do(name: str, value: str, sentence: str) -> None:
    done = check(**{name: value})
    assert done.returncode != 0
    assert sentence in done.stderr


def test_takes_production_for_granted_where_nothing_is_said() -> None:
    done = check(ENVIRONMENT=None, SECRET_KEY=None)
    assert done.returncode != 0
    assert "Set SECRET_KEY" in done.stderr


def test_refuses_to_serve_too_not_only_to_run_commands() -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {**inherited, **SAFE, "ALLOWED_HOSTS": "*", "PYTHONPATH": "platform:."}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import config.wsgi"],
        cwd=BASE_DIR,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "ALLOWED_HOSTS must name" in done.stderr


@pytest.mark.parametrize("environment", ["production", "demo"])
def test_sends_a_live_key_nowhere_but_to_stripe(environment: str) -> None:
    done = check(ENVIRONMENT=environment, STRIPE_SECRET_KEY="sk_live_" + "a" * 24, STRIPE_API_BASE="http://127.0.0.1:12111")
    assert done.returncode != 0
    assert "A live Stripe key may only be used with https://api.stripe.com" in done.stderr


@pytest.mark.gap("10.4")
@pytest.mark.parametrize(("environment", "required"), [("production", "True"), ("demo", "False")])
def test_asks_for_a_second_factor_wherever_it_is_not_the_demo(environment: str, required: str) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {**inherited, **SAFE, "ENVIRONMENT": environment, "SECOND_FACTOR_REQUIRED": "False", "PYTHONPATH": "platform:."}
    program = "from config import settings; print(settings.SECOND_FACTOR_REQUIRED)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=BASE_DIR, env=given, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == required
