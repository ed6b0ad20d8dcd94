"""A process of the control: for each line it reads, works that many rounds and says how long they took."""

import sys
import time


def work(rounds):
    """Additions of small numbers: no memory that two processes could contend for."""
    total = 0
    for number in range(rounds):
        total += number & 7
    return total


for line in sys.stdin:
    begun = time.perf_counter_ns()
    work(int(line))
    sys.stdout.write("%d\n" % (time.perf_counter_ns() - begun))
    sys.stdout.flush()
