# The cluster for tests, included by the Makefile. `make cluster` needs no virtual environment: the standard library does.
# VIA=kubeconfig|kind|local, KUBERNETES=1.34.4, ARGS=… and K=… (tests by name) can be given; docs/operations/test-cluster.md has the rest.
.PHONY: scan cluster cluster-down cluster-status kubectl images e2e-images e2e e2e-smoke cluster-check

CLUSTER_PYTHON := $(firstword $(wildcard .venv/bin/python) python3)
CLUSTER := PYTHONPATH=e2e $(CLUSTER_PYTHON) -m cluster $(if $(VIA),--via $(VIA)) $(if $(KUBERNETES),--kubernetes $(KUBERNETES))

cluster: ## a Kubernetes cluster for tests (docs/operations/test-cluster.md)
	@$(CLUSTER) up

cluster-down: ## remove that cluster and everything made for it
	@$(CLUSTER) down

cluster-status:
	@$(CLUSTER) status

kubectl: ## kubectl with that cluster: make kubectl ARGS='get pods -A'
	@$(CLUSTER) kubectl $(ARGS)

images: setup ## Memwarden's own images as archives, each with the list of its contents, in dist/images
	@sh tools/native.sh probes/python/lib probes/native/lib
	@$(CLUSTER) images --into dist/images

scan: images ## known vulnerabilities of what the images and the web part hold, where the data can be had
	@$(PY) tools/scan.py

e2e-images: ## all test images; the tests build those that they use by themselves
	@$(CLUSTER) images

e2e: setup ## every test in a cluster, from nothing to nothing
	@$(call on_a_new_cluster,cluster)

e2e-smoke: setup ## one leaking and one healthy app in a new cluster: what every change must prove (5–20 minutes)
	@$(call on_a_new_cluster,cluster and smoke)

cluster-check: ## exit code 3 and the reason where no cluster can be made here
	@$(CLUSTER) check

# Whatever the tests say, the cluster goes; and one that a killed run has left goes first.
on_a_new_cluster = $(CLUSTER) down && $(CLUSTER) up && { \
	$(if $(VIA),MEMWARDEN_E2E_VIA=$(VIA)) $(if $(KUBERNETES),MEMWARDEN_E2E_KUBERNETES=$(KUBERNETES)) \
	$(PY) -m pytest e2e -m "$(1)" $(if $(K),-k '$(K)') --timeout=1800 --durations=20; \
	code=$$?; $(CLUSTER) down; exit $$code; }
