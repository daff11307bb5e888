"""The application as servers take it: `served:application` for WSGI, `served:asgi` for ASGI."""

import os

import counterfoil
from counterfoil.actions import Event, Options

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"], actor="journal-service")

from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

import counterfoil.asgi  # noqa: E402
import counterfoil.wsgi  # noqa: E402

OPTIONS: Options = {
    "events": {
        "POST /journal/<str:number>/post/": Event("journal_entry_posted", "{number}", "journal_entry"),
        "POST /journal/<str:number>/reverse/": Event("journal_entry_reversed", "{number}", "journal_entry"),
        "POST /journal/<str:number>/adjust/": Event("manual_adjustment", "{number}", "journal_entry"),
    },
    "fields": ["memo"],
    "exclude": ["/static/*"],
}
application = counterfoil.wsgi.AuditMiddleware(get_wsgi_application(), trail, **OPTIONS)
asgi = counterfoil.asgi.AuditMiddleware(get_asgi_application(), trail, **OPTIONS)
