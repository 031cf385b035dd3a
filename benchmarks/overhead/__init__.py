"""What watching costs a program: each figure is a ratio of two processes that were measured at the same time.

    make bench-overhead                          all of it, then docs/reference/cost.md
    python benchmarks/probe_overhead.py --help  parts of it

How it is measured, so that a busy machine does not blur it: all variants of a program (plain, with Memwarden, with
another profiler) are alive at the same time, pinned to one core, and get their work in turns, a few tenths of a second
each, in random order; the load comes from another core. A *round* is a set of fresh processes; it gives one ratio a
variant, the median of its turns, from the CPU time that the kernel booked for a constant number of requests or loops.
The interval is Student's t on the logarithms of all rounds.
"""
