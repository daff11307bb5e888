"""A task that verifies the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from .hooks import CounterfoilHook


class VerifyLedgerOperator(BaseOperator):
    """Verifies the whole ledger, every entry hashed anew, and fails for good when anything was found.

    - `key`: the ledger's verifier key as it was kept elsewhere. `checkpoint`: one that was kept elsewhere; the ledger
      must extend it.
    - The result (XCom) is `{"origin", "tree_size", "root_hash", "anchored", "checkpoint"}`. Give the checkpoint to the
      next verification.

    A service that cannot be reached is an ordinary failure, for Airflow to repeat.
    """

    template_fields: Sequence[str] = ("key", "checkpoint")

    def __init__(
        self,
        *,
        key: str | None = None,
        checkpoint: str | None = None,
        counterfoil_conn_id: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.key, self.checkpoint, self.counterfoil_conn_id = key, checkpoint, counterfoil_conn_id

    def execute(self, context: Any) -> dict[str, Any]:
        """Verifies; `AirflowFailException` with the findings."""
        trail = CounterfoilHook(self.counterfoil_conn_id).get_conn()
        newest = trail.checkpoint()
        report = trail.verify(key=self.key or None, checkpoint=self.checkpoint or None)
        for finding in report.findings:
            self.log.error("%s (%s): %s", finding.kind, finding.class_, finding.message)
        if report.findings:
            first = report.findings[0]
            raise AirflowFailException(
                f"{report.origin}: {len(report.findings)} findings, first {first.kind}: {first.message}"
            )
        self.log.info("%s: %d entries verified, root %s", report.origin, report.tree_size, report.root_hash)
        return {
            "origin": report.origin,
            "tree_size": report.tree_size,
            "root_hash": report.root_hash,
            "anchored": report.anchored,
            "checkpoint": newest,
        }
