"""Makes the tables and two people."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
User.objects.create_user("accountant", password=os.environ["APP_PASSWORD"])
User.objects.create_user("lead", password=os.environ["APP_PASSWORD"], is_staff=True)
