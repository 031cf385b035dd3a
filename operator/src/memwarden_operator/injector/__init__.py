"""The injector: a webhook that puts probes and a sidecar into pods as they are made.

`inject` is pure: pod, profile, installation → patch or a reason. Around it: what profiles there are (a small watch), an
HTTP server, events. Whatever fails, the pod is admitted as it was. No Kubernetes client and no pydantic is imported
here: each replica is to stay below 48 MiB.
"""
