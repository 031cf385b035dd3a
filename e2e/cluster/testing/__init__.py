"""What tests in a cluster need: a pytest plugin, a namespace for each, ways into pods, facts about failures.

Needs pytest and the official client of Kubernetes, unlike the rest of `cluster`.
"""
