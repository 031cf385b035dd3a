"""What the corpus's programs are put under: work that comes at random moments, and requests over loopback.

Python 3.8+, standard library only, because it runs inside every interpreter of the corpus.
"""
