"""How many trials of a search train at a time: as many as the machine holds within the server's limits."""

import os

from epochal.settings import ServerSettings


def trials_at_once(settings: ServerSettings) -> int:
    """What ``limits.trials`` says; else as many as this machine has cores and memory for, and one at least.

    A training that may use all cores is alone; runs that are trained side by side share.
    """
    limits = settings.limits
    if limits.trials:
        return limits.trials
    cores = len(os.sched_getaffinity(0)) // limits.cpus if limits.cpus else 1
    memory = _memory_mb() // limits.memory_mb
    return max(1, int(min(cores, memory)) // settings.parallel)


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
