"""The only settings file; what differs between places comes from the environment (config/env.py)."""

from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from config import webhook_secret
from config.env import BASE_DIR, IS_DEMO, IS_PRODUCTION, IS_TEST, database, env, required_in_production
from config.logging_setup import logging_config

SECRET_KEY = required_in_production("SECRET_KEY", "not-secret-" + "0123456789" * 5)
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["127.0.0.1", "localhost", "[::1]"])
BASE_URL = required_in_production("BASE_URL", f"http://127.0.0.1:{env.int('PORT', default=8000)}")
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_NAME = env.str("SITE_NAME", default="CPD Platform")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "unfold.contrib.import_export",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",  # the form renderer looks for its widgets among the templates
    "django.contrib.humanize",
    "admin_ext.apps.ConsoleAdminConfig",
    "import_export",
    "django_fsm",
    "django_q",
    "pgtrigger",
    "django_linear_migrations",
    "ninja",  # for the page that shows the API: its files are served from here, not from a CDN
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.headless",
    "core",
    "audit",
    "notifications",
    "accounts",
    "entitlements",
    "organizations",
    "ledger",
    "billing",
    "events",
    "promo_codes",
    "registrations",
    "web",
    "public_api",
    "admin_ext",
    "config",
]
if IS_PRODUCTION:
    INSTALLED_APPS.remove("django_linear_migrations")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.client_address.ClientAddressMiddleware",
    "config.logging_setup.RequestIdMiddleware",
    "public_api.errors.EnvelopeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.session_lifetime.SessionLifetimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.security.ContentSecurityPolicy",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "web.context.site",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- database, cache, files -------------------------------------------------------------------------------------------------
PROCESS = env.str("PROCESS", default="command")
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
DATABASES = {"default": database(env.str("DATABASE_URL", default=f"postgresql:///cpd?host={VAR_DIR / 'pgdata'}"), process=PROCESS)}
# The shared cache is the database: throttles, single-use sign-in codes and locks must be seen by every process.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "shared_cache", "OPTIONS": {"MAX_ENTRIES": 100_000}}
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns about one that is missing, and warnings fail the tests
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage" if IS_TEST else "whitenoise.storage.CompressedStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = IS_TEST  # tests collect no files

# --- queues -------------------------------------------------------------------------------------------------------------------
# One attempt at django-q2's level: core.jobs counts attempts on its own row. retry > timeout, lease < retry.
Q_TIMEOUT = env.int("Q_TIMEOUT", default=60)
_Q_WORKERS = env.int("Q_WORKERS", default=1)
_Q_COMMON = {"workers": _Q_WORKERS, "queue_limit": _Q_WORKERS, "bulk": 1, "timeout": Q_TIMEOUT, "retry": Q_TIMEOUT * 2 + 10}
Q_CLUSTER = {
    "name": "default",
    "orm": "default",
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": 0,
    "catch_up": False,
    "poll": env.float("Q_POLL", default=0.2),
    "label": "Queue",
    "log_level": env.str("Q_LOG_LEVEL", default="WARNING"),
    **_Q_COMMON,
    "ALT_CLUSTERS": {"money": _Q_COMMON, "bulk": {**_Q_COMMON, "timeout": 600, "retry": 1300}},
}
# Above this many seconds a queue counts as standing still, and /readyz says so.
READY_QUEUE_LAG = env.int("READY_QUEUE_LAG", default=300)
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # production shows /metrics to its bearer only
JOB_BACKOFF_BASE = env.float("JOB_BACKOFF_BASE", default=2.0)

# --- people: allauth pages for the consoles, allauth headless for the API --------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {
    "login_failed": "5/15m/key,10/h/key,20/d/key,20/15m/ip",
    "reset_password": "3/h/key,10/h/ip",
    "signup": "10/h/ip",
    "confirm_email": "3/h/key",
}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # this session goes on; every other one ends with the password it was made with
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
PASSWORD_RESET_TIMEOUT = 3600
SESSION_COOKIE_AGE = 30 * 24 * 3600
CSRF_FAILURE_VIEW = "public_api.errors.csrf_failure"
HEADLESS_ENABLED = True
HEADLESS_CLIENTS = ("app", "browser")
HEADLESS_FRONTEND_URLS = {
    "account_confirm_email": f"{BASE_URL}/accounts/confirm-email/{{key}}/",
    "account_reset_password_from_key": f"{BASE_URL}/accounts/password/reset/key/{{key}}/",
    "account_signup": f"{BASE_URL}/accounts/signup/",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME
MFA_RECOVERY_CODE_COUNT = 10
USERSESSIONS_TRACK_ACTIVITY = False
# Off in the demo only, where a banner says so; the value is not read from the environment in production.
SECOND_FACTOR_REQUIRED = not IS_DEMO
SENT_MAIL_KEEPS_KEYS = not IS_PRODUCTION  # links that work for whoever has them; the demo's mailbox shows them
STEP_UP_WINDOW = timedelta(minutes=10)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if IS_TEST:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests sign in hundreds of times

# --- mail -----------------------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = required_in_production("DEFAULT_FROM_EMAIL", "CPD Platform <no-reply@cpd.example>")
_MAIL_URL = required_in_production("EMAIL_URL", f"file://{VAR_DIR / 'mail'}")
_MAIL = env.email_url_config(_MAIL_URL) if not _MAIL_URL.startswith("file:") else {}
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": _MAIL["EMAIL_HOST"],
            "port": _MAIL["EMAIL_PORT"] or 25,
            "username": _MAIL["EMAIL_HOST_USER"] or "",
            "password": _MAIL["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": bool(_MAIL.get("EMAIL_USE_TLS")),
            "use_ssl": bool(_MAIL.get("EMAIL_USE_SSL")),
            "timeout": 15,
        },
    }
    if _MAIL
    else {"BACKEND": "django.core.mail.backends.filebased.EmailBackend", "OPTIONS": {"file_path": str(VAR_DIR / "mail")}}
}

# --- money ------------------------------------------------------------------------------------------------------------------------
STRIPE_SECRET_KEY = required_in_production("STRIPE_SECRET_KEY", "sk_test_sandbox")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com" if IS_PRODUCTION else "http://127.0.0.1:12111")
STRIPE_API_VERSION = "2026-08-26.dahlia"
# Two while a secret is rolled: both are accepted.
_WEBHOOK_SECRETS = webhook_secret.known(VAR_DIR) if IS_DEMO else []
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRETS", default=_WEBHOOK_SECRETS)
STRIPE_CONNECT_WEBHOOK_SECRETS = env.list("STRIPE_CONNECT_WEBHOOK_SECRETS", default=_WEBHOOK_SECRETS)
if IS_PRODUCTION and not STRIPE_WEBHOOK_SECRETS:
    raise ImproperlyConfigured("Set STRIPE_WEBHOOK_SECRETS: without it every webhook would be refused.")
if STRIPE_SECRET_KEY.startswith("sk_live_") and STRIPE_API_BASE != "https://api.stripe.com":
    raise ImproperlyConfigured("A live Stripe key may only be used with https://api.stripe.com; unset STRIPE_API_BASE or use a test key.")
STRIPE_TIMEOUT = env.float("STRIPE_TIMEOUT", default=15.0)
STRIPE_REQUEST_TIMEOUT = env.float("STRIPE_REQUEST_TIMEOUT", default=5.0)  # for the one call that a request waits for
STRIPE_NETWORK_RETRIES = env.int("STRIPE_NETWORK_RETRIES", default=2)  # by Stripe's library, with the same key
SETTLEMENT_CURRENCIES = env.list("SETTLEMENT_CURRENCIES", default=["USD", "EUR", "JPY", "KWD", "GBP"])
# Minor units; a refund above it waits for a second person. A currency that is not listed always waits.
REFUND_APPROVAL_LIMITS = {"USD": 50_000, "EUR": 50_000, "GBP": 40_000, "JPY": 50_000, "KWD": 150_000}
# Minor units; smaller payouts are not worth their way. A currency that is not listed: ten of its major units.
PAYOUT_MINIMUMS = {"USD": 1_000, "EUR": 1_000, "GBP": 1_000, "JPY": 1_000, "KWD": 10_000}
# Minor units; above it whoever asked for the payout cannot approve it. A currency that is not listed always needs a second person.
PAYOUT_SECOND_PERSON_ABOVE = {"USD": 100_000, "EUR": 100_000, "GBP": 100_000, "JPY": 100_000, "KWD": 300_000}
CHECKOUT_SESSION_MINUTES = 30  # Stripe's minimum
PAYMENT_HOLD_GRACE_MINUTES = 5  # the seat is kept this much longer than the Checkout session
GUEST_HOLD_HOURS = 24
PAYMENT_RETRY_HOURS = 24  # a place is held this long for somebody who was sent a link to pay once more
INVITATIONS_A_DAY = 300  # of one organization, in 24 hours
ORGANIZATIONS_A_DAY = 10  # by one person, in 24 hours
INBOX_MAX_ATTEMPTS = env.int("INBOX_MAX_ATTEMPTS", default=8)

# --- API --------------------------------------------------------------------------------------------------------------------------
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # X-Forwarded-For is read only this many hops deep, by ClientAddressMiddleware
NINJA_NUM_PROXIES = 0
API_THROTTLE_SCALE = env.float("API_THROTTLE_SCALE", default=1.0)

# --- safety -----------------------------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
SECURE_SSL_REDIRECT = IS_PRODUCTION and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if IS_PRODUCTION else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "object-src": [CSP.NONE],
}
# Unfold's Alpine needs eval and inline styles; nothing else on the site does.
CONSOLE_CSP: dict[str, list[str]] = {
    **SECURE_CSP,
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "frame-ancestors": [CSP.SELF],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

LOGGING_CONFIG = None
LOGGING = logging_config(env.str("LOG_LEVEL", default="WARNING" if IS_TEST else "INFO"), json=IS_PRODUCTION)
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "add"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

from config.unfold import UNFOLD, UNFOLD_CONSOLE  # noqa: E402, F401  the consoles' settings need the values above
