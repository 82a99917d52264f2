"""What all tests of the package need."""

from __future__ import annotations

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF="django_urls",
    SECRET_KEY="of the tests",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    USE_TZ=True,
)
django.setup()
