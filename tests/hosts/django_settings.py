"""Django's settings in these tests. A process has them once."""

from __future__ import annotations

from tests.hosts.world import HOSTS, PAGE

ALLOWED_HOSTS = [*HOSTS, "app"]
CORS_ALLOWED_ORIGINS = [PAGE]
INSTALLED_APPS = ["corsheaders"]
MIDDLEWARE = [
    "tests.hosts.frameworks.django_host.choose_urls",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "tests.hosts.frameworks.django_host"
SECRET_KEY = "a secret of the tests"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
USE_TZ = True
