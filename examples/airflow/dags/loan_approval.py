"""A loan: its application is read, a model scores it, a person decides. All of it is in the ledger.

The listener records what Airflow does; `@audited` and `step` what the tasks do, with run, task, try and trace.
"""

import hashlib
import json
from datetime import timedelta

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task

import counterfoil
from counterfoil.airflow import CounterfoilNotifier

MODELS = {"credit-2.1": lambda loan: round(min(loan["income"] * 12 / loan["amount"], 1.0), 2)}


@dag(
    schedule=None,
    params={"loan": "LOAN-1", "amount": 60_000, "income": 2_800, "model": "credit-2.1"},
    default_args={"on_failure_callback": CounterfoilNotifier()},
)
def loan_approval():
    @task
    @counterfoil.audited("credit_application_received", entity_id="params.loan", result=True, intent=False)
    def extract(params):
        return {"loan": params["loan"], "amount": params["amount"], "income": params["income"]}

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def score(loan, params):
        inputs = hashlib.sha256(json.dumps(loan, sort_keys=True).encode()).hexdigest()
        model = {"model_version": params["model"], "input_digest": inputs}
        with counterfoil.default_trail().step(
            "credit_scored", loan["loan"], actor="credit-model", actor_type="ai_agent", intent=False, context=model
        ) as step:
            result = MODELS[params["model"]](loan)
            step.set(new_value={"score": result})
        return result

    approve = ApprovalOperator(
        task_id="approve",
        subject="Grant {{ params.loan }}?",
        body="Amount {{ params.amount }}, score {{ ti.xcom_pull('score') }}",
        params={"reason": Param("", type="string")},
    )
    tell = EmailOperator(
        task_id="tell",
        to="controlling@bank.example",
        subject="{{ dag.dag_id }} failed for {{ params.loan }}",
        html_content="{{ run_id }}",
        trigger_rule="one_failed",
    )
    score(extract()) >> [approve, tell]  # were `tell` the only end, its success would be the run's


loan_approval()
