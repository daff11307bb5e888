"""Every way in which a task instance can change its state without a person."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, dag, task
from airflow.sdk.exceptions import AirflowSkipException

import counterfoil
from counterfoil.airflow import CounterfoilNotifier


class Defers(BaseOperator):
    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=0)), method_name="resume")

    def resume(self, context, event):
        return "resumed"


@dag(schedule=None)
def situations():
    @task
    @counterfoil.audited("data_validated", entity_id="batch", intent=False)
    def works(batch):
        with counterfoil.scope(model_version="m-1"):
            counterfoil.default_trail().record("inner", "INNER-1")

    @task
    def mapped(number):
        return number

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def fails_once(ti=None):
        if ti.try_number == 1:
            raise ValueError("not yet\nand more")

    @task
    def skips():
        raise AirflowSkipException("nothing to do")

    @task.sensor(poke_interval=1, mode="reschedule")
    def looks_twice():
        seen = Path(os.environ["SEEN"])
        there = seen.exists()
        seen.touch()
        return there

    @task(on_failure_callback=CounterfoilNotifier(reason="{{ dag.dag_id }} is broken"))
    def fails():
        raise RuntimeError("no balance")

    works("BATCH-1")
    mapped.expand(number=[1, 2])
    fails_once()
    skips()
    looks_twice()
    Defers(task_id="defers")
    fails() >> EmptyOperator(task_id="never_runs")


situations()
