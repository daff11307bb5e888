"""The person who answers the first run that waits, as they would in Prefect's UI."""

import time

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.flow_runs import resume_flow_run

WAITING = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}})

with get_client(sync_client=True) as client:
    while not (waiting := client.read_flow_runs(flow_run_filter=WAITING)):
        time.sleep(0.5)
resume_flow_run(waiting[0].id, {"approved": True, "reviewer": "m.huber", "reason": "order and delivery note seen"})
print(f"m.huber approved: {waiting[0].name}")
