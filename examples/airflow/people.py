"""What people do in this example, through Airflow's own API: they trigger runs, and answer what waits for them.

people.py trigger USER CONF     prints the run's id when the run has ended
people.py approve USER REASON   approves the next thing that waits
"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

AIRFLOW = os.environ["AIRFLOW_URL"]
DAG = "loan_approval"
READING_S = 5  # an answer before the scheduler has seen the end of the task's first process makes it fail the task


def main(act, user, text):
    token = ask("POST", "/auth/token", {"username": user, "password": os.environ["AIRFLOW_PASSWORD"]})["access_token"]
    {"trigger": trigger, "approve": approve}[act](token, text)


def trigger(token, conf):
    ask("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False}, token)
    begun = ask("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "conf": json.loads(conf)}, token)
    path = f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(begun['dag_run_id'])}"
    print("run", begun["dag_run_id"], until("end of the run", lambda: ended(ask("GET", path, None, token))))


def ended(run):
    return run["state"] if run["state"] in ("success", "failed") else None


def approve(token, reason):
    waiting = f"/api/v2/dags/{DAG}/dagRuns/~/hitlDetails?response_received=false"
    found = until("question", lambda: ask("GET", waiting, None, token)["hitl_details"])[0]
    time.sleep(READING_S)
    ti = found["task_instance"]
    run = urllib.parse.quote(ti["dag_run_id"])
    path = f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/{ti['task_id']}/{ti['map_index']}/hitlDetails"
    answer = {"chosen_options": ["Approve"], "params_input": {"reason": reason}}
    said = ask("PATCH", path, answer, token)
    print(f"{found['subject']} {said['responded_by']['name']}: {said['chosen_options'][0]}")


def ask(method, path, body, token=None):
    request = urllib.request.Request(AIRFLOW + path, method=method, data=body and json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from None


def until(what, found, seconds=600):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.5)
    raise SystemExit(f"no {what} within {seconds} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
