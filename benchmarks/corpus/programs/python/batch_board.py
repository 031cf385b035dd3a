"""Two workers run the jobs of a batch system; how each job goes stands on a board that all processes share."""

import multiprocessing
import random
import signal
import sys
import time

from traffic.shape import arrivals, seed

WORKERS = 2
STEPS = 36


def work(jobs, board):
    """Run jobs, and write on the board what an operator would look for."""
    while True:
        job = jobs.get()
        board[job["id"]] = {"state": "running", "since": time.time()}
        total, lines = 0, []
        for step in range(STEPS):
            total += sum(job["rows"][step::STEPS])
            lines.append(f"{job['id']}: step {step} of {STEPS}, sum {total}, {job['owner']}")
        board[job["id"]] = {"state": "done", "since": time.time(), "total": total, "lines": lines}


def main():
    draw = random.Random(seed())
    context = multiprocessing.get_context("fork")
    jobs = context.Queue(50)
    with context.Manager() as manager:
        board, latest = manager.dict(), ""
        for _ in range(WORKERS):
            context.Process(target=work, args=(jobs, board), daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for number in arrivals(80):
            latest = f"job-{number}-{draw.getrandbits(48):012x}"
            jobs.put(
                {"id": latest, "owner": f"team {draw.randrange(30)}", "rows": draw.choices(range(900), k=120)}
            )
            if number % 100 == 99:
                print(latest, board.get(latest, {}).get("state", "waiting"), flush=True)


if __name__ == "__main__":
    main()
