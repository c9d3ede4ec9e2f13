"""What the environment says, read once. Production has no fallback for a secret: a missing one stops the start with a sentence."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.Env()

# "production" unless said otherwise, so that a forgotten variable can never open a door.
ENVIRONMENT: str = env.str("ENVIRONMENT", default="test" if "pytest" in sys.modules else "production")
IS_PRODUCTION = ENVIRONMENT == "production"
IS_DEMO = ENVIRONMENT == "demo"
IS_TEST = ENVIRONMENT == "test"


def required_in_production(name: str, otherwise: str) -> str:
    """The variable; outside production `otherwise` where it is unset. Raises ImproperlyConfigured in production."""
    value: str = env.str(name, default="")
    if value:
        return value
    if IS_PRODUCTION:
        raise ImproperlyConfigured(f"Set {name} in the environment: production starts with no built-in value for it.")
    return otherwise


def database(url: str, *, process: str) -> dict[str, Any]:
    """Django's settings for one PostgreSQL URL.

    process: "web" gets a connection pool, "worker" one lasting connection, anything else a connection for each use.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL server: postgresql://user:password@host:port/name.")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    host = unquote(parts.hostname or "") or query.pop("host", "")
    options: dict[str, Any] = dict(query)
    # Every trigger of ours first asks for this setting. Unset, the question is an error that is caught, which costs 0.2 ms a row.
    options["options"] = f"{query.get('options', '')} -c pgtrigger.ignore={{}}".strip()
    if process == "web":
        options["pool"] = {"min_size": 2, "max_size": env.int("DATABASE_POOL_SIZE", default=8), "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "cpd",
        "USER": unquote(parts.username or "postgres"),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600 if process == "worker" else 0,
        "CONN_HEALTH_CHECKS": process == "worker",
        "OPTIONS": options,
        "ATOMIC_REQUESTS": False,
    }
