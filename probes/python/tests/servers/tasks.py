"""A celery application with a leak in one task; its broker is a folder."""

import os

from celery import Celery

FOLDER = os.environ["TASKS_FOLDER"]
app = Celery("tasks", broker="filesystem://", backend="file://" + FOLDER + "/results")
app.conf.broker_transport_options = {
    "data_folder_in": FOLDER + "/queue",
    "data_folder_out": FOLDER + "/queue",
    "control_folder": FOLDER + "/control",
}
KEPT = []


@app.task
def leak(number):
    KEPT.append(bytes(20000))  # the leak
    return [number * number, os.getpid(), os.getppid(), len(KEPT)]
