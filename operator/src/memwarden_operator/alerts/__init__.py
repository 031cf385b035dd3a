"""MemoryAlertPolicy: made into what Prometheus and Alertmanager load, and what they say of it brought back.

With the world outside: monitoring (asks Prometheus and Alertmanager), workshop (writes objects), loop.
"""
