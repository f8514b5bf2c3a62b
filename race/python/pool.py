"""Python's ProcessPoolExecutor, doing one workload of the race.

    python3 pool.py WORKLOAD [ARGUMENT]

Reads numbers of operations, one a line, does a round of so many, and answers each with a checksum
of the results and what one operation cost, in nanoseconds (memory: in KiB).
"""

import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

WORKERS = 2
MASK = 2**64 - 1


# ---- calls ----------------------------------------------------------------------------------


def following(n):
    return n + 1


def echo(data):
    return data


def stay_on(processors):
    os.sched_setaffinity(0, processors)


def private_memory():
    """The memory that this process has for itself, in KiB."""
    with open("/proc/self/smaps_rollup") as smaps:
        return sum(int(line.split()[1]) for line in smaps if line.startswith("Private_"))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def meet(own, other):
    """Waits until the other one of two calls has begun as well."""
    open(own, "w").close()
    while not os.path.exists(other):
        os.sched_yield()


# ---- rounds ---------------------------------------------------------------------------------


def in_order(results):
    checksum = 0
    for result in results:
        checksum = (checksum * 31 + result) & MASK
    return checksum


def timed(count, work):
    begun = time.perf_counter_ns()
    results = work()
    return results, (time.perf_counter_ns() - begun) / count


def round_trip(processors):
    pool = ProcessPoolExecutor(1)
    pool.submit(stay_on, [int(it) for it in processors.split(",")]).result()

    def round(count):
        results, cost = timed(
            count, lambda: [pool.submit(following, n).result() for n in range(count)]
        )
        return in_order(results), cost

    return round


def one_call_each():
    pool = ProcessPoolExecutor(WORKERS)

    def work(count):
        futures = [pool.submit(following, n) for n in range(count)]
        return [future.result() for future in futures]

    def round(count):
        results, cost = timed(count, lambda: work(count))
        return in_order(results), cost

    return round


def chunked_map():
    pool = ProcessPoolExecutor(WORKERS)

    def round(count):
        results, cost = timed(
            count, lambda: list(pool.map(following, range(count), chunksize=1000))
        )
        return in_order(results), cost

    return round


def echoes(length):
    pool = ProcessPoolExecutor(1)
    length = int(length)
    payload = (bytes(n * 31 & 255 for n in range(256)) * (length // 256 + 1))[:length]

    def work(count):
        return sum(
            len(answer) + sum(answer[::4097])
            for answer in (pool.submit(echo, payload).result() for _ in range(count))
        )

    return lambda count: timed(count, lambda: work(count))


def start():
    def round(count):
        results, cost = [], 0
        for n in range(count):
            begun = time.perf_counter_ns()
            pool = ProcessPoolExecutor(WORKERS)
            results.append(pool.submit(following, n).result())
            cost += time.perf_counter_ns() - begun
            pool.shutdown()
        return in_order(results), cost / count

    return round


def memory():
    def round(count):
        pool = ProcessPoolExecutor(WORKERS)
        return count, pool.submit(private_memory).result()

    return round


def both_meet(pool, folder, name):
    one, other = (os.path.join(folder, f"{name}-{it}") for it in ("one", "other"))
    futures = [pool.submit(meet, one, other), pool.submit(meet, other, one)]
    for future in futures:
        future.result()


def death(until):
    """A pool that lost a worker is broken, and another one has to be made."""
    folder = tempfile.TemporaryDirectory()

    def round(count):
        cost = 0
        for n in range(count):
            pool = ProcessPoolExecutor(WORKERS)
            both_meet(pool, folder.name, f"{n}-before")
            begun = time.perf_counter_ns()
            try:
                pool.submit(die).result()
            except BrokenProcessPool:
                seen = time.perf_counter_ns() - begun
            pool.shutdown()
            pool = ProcessPoolExecutor(WORKERS)
            both_meet(pool, folder.name, f"{n}-after")
            whole = time.perf_counter_ns() - begun
            pool.shutdown()
            for name in os.listdir(folder.name):
                os.remove(os.path.join(folder.name, name))
            cost += seen if until == "error" else whole
        return in_order([1] * count), cost / count

    return round


WORKLOADS = {
    "round_trip": round_trip,
    "one_call_each": one_call_each,
    "map": chunked_map,
    "echo": echoes,
    "start": start,
    "memory": memory,
    "death": death,
}

if __name__ == "__main__":
    round = WORKLOADS[sys.argv[1]](*sys.argv[2:])
    for line in sys.stdin:
        print(*round(int(line)), flush=True)
