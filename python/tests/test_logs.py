from __future__ import annotations

import datetime
import logging
from typing import Any

import pytest

import counterfoil
import counterfoil.logging
import counterfoil.structlog

structlog = pytest.importorskip("structlog")

EVENT: dict[str, Any] = {
    "timestamp": datetime.datetime(2026, 11, 24, 10, 0, tzinfo=datetime.timezone.utc),
    "event_type": "invoice_approved",
    "actor": "invoice-bot",
    "entity_id": "INV-1042",
    "old_value": "pending",
    "new_value": "approved",
    "context": {"confidence": 0.97},
}


@pytest.fixture
def logger(trail: counterfoil.Trail) -> logging.Logger:
    made = logging.Logger("app")
    made.addHandler(counterfoil.logging.AuditHandler(trail))
    return made


def last(trail: counterfoil.Trail) -> counterfoil.Entry:
    return list(trail)[-1]


def test_the_usual_structlog_call_works_unchanged(trail: counterfoil.Trail) -> None:
    lines: list[dict[str, Any]] = []

    def keep(logger: Any, method: str, event: dict[str, Any]) -> str:
        lines.append(dict(event))
        return ""

    log = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            counterfoil.structlog.AuditProcessor(trail, receipt=True),
            keep,
        ],
    )
    fields = {name: value for name, value in EVENT.items() if name != "timestamp"}
    log.info("audit_event", request_id="r-1", api_key="secret", **fields)
    log.info("something else", event_type="x")
    entry = last(trail)
    assert entry["entity_id"] == "INV-1042"
    assert entry["old_value"] == "pending"
    assert entry["context"] == {"confidence": 0.97, "request_id": "r-1", "api_key": "[redacted]"}
    assert lines[0]["audit_index"] == entry.index
    assert trail.size() == 2
    plain = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[counterfoil.structlog.AuditProcessor(trail), keep]
    )
    plain.info("audit_event", **{**EVENT, "timestamp": 1_790_000_000.5})
    assert last(trail)["timestamp"].startswith("2026-09-")


def test_structlog_lines_can_be_kept_out_of_the_log(trail: counterfoil.Trail) -> None:
    processor = counterfoil.structlog.AuditProcessor(trail, drop=True)
    with pytest.raises(structlog.DropEvent):
        processor(None, "info", {"event": "audit_event", **EVENT})
    assert last(trail)["timestamp"] == "2026-11-24T10:00:00Z"


def test_the_standard_library(trail: counterfoil.Trail, logger: logging.Logger) -> None:
    logger.info("audit_event", extra=EVENT)
    assert last(trail)["new_value"] == "approved"
    logger.info("audit_event", EVENT)
    logger.warning("any text", extra={"event_type": "kyc_check", "actor": "a", "entity_id": "C-1"})
    logger.info("no audit event")
    assert trail.size() == 4
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("audit_event", extra={"event_type": "kyc_failed", "actor": "a", "entity_id": "C-1"})
    assert last(trail)["context"]["exception"] == {"type": "ValueError", "message": "no"}


def test_what_is_missing_is_recorded_as_missing(trail: counterfoil.Trail, logger: logging.Logger) -> None:
    logger.info("audit_event", extra={"note": "no type"})
    assert last(trail)["event_type"] == "unnamed_event"
    assert last(trail)["context"]["note"] == "no type"


def test_a_lost_audit_event_is_no_secret(trail: counterfoil.Trail, logger: logging.Logger) -> None:
    trail.close()
    with pytest.raises(counterfoil.Closed):
        logger.info("audit_event", extra=EVENT)
    quiet = logging.Logger("quiet")
    handler = counterfoil.logging.AuditHandler(trail, strict=False)
    handled: list[logging.LogRecord] = []
    handler.handleError = handled.append  # type: ignore[method-assign, assignment]
    quiet.addHandler(handler)
    quiet.info("audit_event", extra=EVENT)
    assert len(handled) == 1
