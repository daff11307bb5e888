"""The examples of docs/guides/integrations/{fastapi,flask,django}.md."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from guides import GUIDES, run_examples, set_constants
from running import Running


@pytest.mark.parametrize(("page", "examples", "package"), [("fastapi", 3, "multipart"), ("flask", 3, "flask")])
def test_every_example_runs(
    service: Running, monkeypatch: pytest.MonkeyPatch, page: str, examples: int, package: str
) -> None:
    pytest.importorskip(page)
    pytest.importorskip(package)
    monkeypatch.chdir(service.folder)
    set_constants(monkeypatch, service)
    run_examples(f"integrations/{page}.md", {}, examples=examples)


DJANGO = """
import sys, django
from django.conf import settings
from django.urls import path
from django.test.client import RequestFactory
sys.path.insert(0, sys.argv[1])
from guides import run_examples

settings.configure(ROOT_URLCONF="__main__", SECRET_KEY="k", ALLOWED_HOSTS=["*"],
                   MIDDLEWARE=["counterfoil.django.ActionMiddleware"],
                   INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
names = {}
urlpatterns = [path("journal/<str:number>/post/", lambda request, number: names["post"](request, number))]
run_examples("integrations/django.md", names, examples=2)
environ = RequestFactory().post("/journal/J-1/post/", {"memo": "m"}).environ
answer = names["application"](environ, lambda status, headers, exc_info=None: print(status))
print(b"".join(answer))
answer.close()
names["trail"].flush(30)
run, posted = names["trail"].history("J-1")
assert posted["event_type"] == "journal_entry_posted" and posted["new_value"] == "posted", posted
assert posted["trace_id"] == run["trace_id"]
names["trail"].close()
"""


def test_the_examples_for_django(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("django")
    set_constants(monkeypatch, service)
    ran = subprocess.run(
        [sys.executable, "-c", DJANGO, str(GUIDES.parents[1] / "python" / "tests")],
        cwd=service.folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
