"""The operator killed in mid run: nothing that it started stops."""

from bed import Backup, ended, kill, operator_pod, until, worker_at_work


def test_operator_killed_in_mid_run():
    """the run goes on untouched in the same pod, and its status catches up"""
    backup = Backup("operator-killed")
    name = backup.run_now()
    worker = worker_at_work(name)
    before = operator_pod()
    assert kill(before) == 1, "the operator's process was not found"

    def restarted():
        pod = operator_pod()
        statuses = pod["status"].get("containerStatuses", []) if pod else []
        return any(status["restartCount"] > restarts(before) or pod["metadata"]["uid"] != before["metadata"]["uid"] for status in statuses)

    until("the operator to be started again", restarted)
    snapshot = ended(name)
    run = snapshot["status"]["run"]
    assert run["attempt"] == 1 and worker["metadata"]["name"].startswith(run["jobName"]), run
    assert worker["metadata"]["labels"]["batch.kubernetes.io/job-name"] == run["jobName"]


def restarts(pod):
    return pod["status"]["containerStatuses"][0]["restartCount"]
