"""Invoices in Prefect: a model reads and scores them, a person approves those that are over the limit."""

import os

from prefect import flow, pause_flow_run, task
from prefect.input import RunInput

import counterfoil
from counterfoil.prefect import audited_run
from counterfoil.redaction import digest

trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"])
counterfoil.set_default_trail(trail)

LIMIT = 5_000
SCANS = {
    "INV-1": ["the scanner is busy", {"supplier": "Nordwind GmbH", "amount": 12_400}],
    "INV-2": ["the scan is blank", "the scan is blank", "the scan is blank"],
}


class Decision(RunInput):
    """What the reviewer is asked in the UI."""

    approved: bool
    reviewer: str
    reason: str


@audited_run(actor="extractor", actor_type="ai_agent", model_version="extractor-3.2")
@task(task_run_name="extract-{invoice}", retries=2, retry_delay_seconds=0.2)
def extract(invoice):
    scan = SCANS[invoice].pop(0)
    if isinstance(scan, str):
        raise OSError(scan)
    trail.record("invoice_extracted", invoice, new_value=scan, context={"confidence": 0.98})
    return scan


@audited_run(actor="risk-model", actor_type="ai_agent", model_version="risk-1.4")
@task(task_run_name="score-{invoice}")
def score(invoice, fields):
    risk = round(fields["amount"] / 20_000, 2)
    trail.record("payment_scored", invoice, new_value={"risk": risk}, context={"confidence": 0.9})
    return risk


@audited_run
@task(task_run_name="book-{invoice}")
def book(invoice, reviewer):
    trail.record("invoice_approved", invoice, actor="ap-flow", actor_type="service", on_behalf_of=reviewer)


@audited_run
@flow(name="invoice-approval", flow_run_name="approval of {invoice}")
def invoice_approval(invoice):
    fields = extract(invoice)
    risk = score(invoice, fields)
    reviewer = None
    if fields["amount"] > LIMIT:
        shown = {"shown_digest": digest({"invoice": invoice, **fields, "risk": risk})["sha256"]}
        trail.record("oversight_shown", invoice, actor="ap-flow", actor_type="service", context=shown)
        decision = pause_flow_run(wait_for_input=Decision, poll_interval=1, timeout=120)
        trail.record(
            "oversight_decided",
            invoice,
            actor=decision.reviewer,
            actor_type="user",
            outcome="success" if decision.approved else "denied",
            reason=decision.reason,
            context=shown,
        )
        if not decision.approved:
            return "rejected"
        reviewer = decision.reviewer
    book(invoice, reviewer)
    return "approved"


if __name__ == "__main__":
    print("INV-1:", invoice_approval("INV-1"))
    print("INV-2:", invoice_approval("INV-2", return_state=True).name)
