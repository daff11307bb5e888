"""Journal entries that accountants post and reverse; only those with the permission may reverse."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST
from served import trail

from counterfoil.django import describe


@require_POST
@login_required
def post(request: HttpRequest, number: str) -> JsonResponse:
    trail.record("reconciliation_run", number, outcome="success", context={"record_count": 2})
    describe(new_value="posted")
    return JsonResponse({"number": number, "status": "posted"})


@require_POST
@login_required
def reverse(request: HttpRequest, number: str) -> JsonResponse:
    if not request.user.is_staff:
        raise PermissionDenied("only a lead accountant may")
    return JsonResponse({"number": number, "status": "reversed"})


@require_POST
async def adjust(request: HttpRequest, number: str) -> JsonResponse:
    trail.record("journal_entry_proposed", number, new_value={"lines": request.POST["lines"]})
    return JsonResponse({"number": number, "lines": 1 // int(request.POST["lines"])})


urlpatterns = [
    path("login/", LoginView.as_view()),
    path("logout/", LogoutView.as_view(next_page="/login/")),
    path("journal/<str:number>/post/", post),
    path("journal/<str:number>/reverse/", reverse),
    path("journal/<str:number>/adjust/", adjust),
]
