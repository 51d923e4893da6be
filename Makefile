# Everything a person runs. `make help` lists the targets; each one installs what it needs and is quick the second time.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# No registry address and no hash-less file ever gets in: the locks are the only list of what is installed.
INSTALL := $(BIN)/uv pip install --python $(BIN)/python --require-hashes
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links
# On every core; the live tests have one machine's processes and ports to themselves, one after another. What was
# compiled is kept, whatever the environment says: compiling all the tests takes each process longer than collecting them.
FAST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not live and not compose" --ignore=tests/live \
	--numprocesses auto --dist worksteal
NONE_SELECTED := 5
PROTOS := $(wildcard protos/controlplane/api/*/*.proto)
# The protos of the last release, as buf reads them: what clients out there were built with.
RELEASED := protos/released.binpb
# The quick ones.
BENCHMARKS := benchmarks/pipeline.py benchmarks/decisions.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: $(VENV)/runtime ## run Isthmus here: control plane, Envoy and a demo API server (options: make up ARGS="--port 9443")
	@$(BIN)/python -m controlplane up $(ARGS)

.PHONY: test
test: $(VENV)/dev upstream ## every test, against the real Envoy, kube-apiserver and kubectl; containers apart
	@THOROUGH=1 $(FAST) $(ARGS) || [ $$? -eq $(NONE_SELECTED) ]
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m "live and not compose" $(ARGS) || [ $$? -eq $(NONE_SELECTED) ]

.PHONY: test-compose
test-compose: $(VENV)/dev upstream compose-base wheels ## the tests in containers, Compose stack and sidecars, with a dockerd of their own (needs root on Debian)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m compose $(ARGS)

.PHONY: test-fast
test-fast: $(VENV)/dev ## the tests that need nothing but Python, properties with fewer examples
	@$(FAST) $(ARGS)

.PHONY: check
check: $(VENV)/dev ## format, lint, types, import layers, protos and generated code, lock files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(BIN)/buf breaking --against $(RELEASED)
	@scratch=$$(mktemp -d) && $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$$scratch --pyi_out=$$scratch $(PROTOS) \
		&& { diff -r -x __init__.py -x __pycache__ $$scratch/controlplane/api controlplane/api \
		|| { echo "controlplane/api is not what protos/ makes; run: make protos"; exit 1; }; }; \
		status=$$?; rm -rf $$scratch; exit $$status
	@$(BIN)/python requirements/check.py

.PHONY: protos
protos: $(VENV)/dev ## generate controlplane/api from protos/
	@$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=. --pyi_out=. $(PROTOS)

.PHONY: protos-released
protos-released: $(VENV)/dev ## at a release: keep protos/ as what later ones must not break
	@$(BIN)/buf build --exclude-source-info --output $(RELEASED)

.PHONY: docs
docs: $(VENV)/dev ## write docs/settings-reference.md again from the code
	@$(BIN)/python docs/generate.py

.PHONY: golden
golden: $(VENV)/dev ## rewrite the golden files from what the code does now
	@$(BIN)/python -m pytest tests/golden --update-golden $(ARGS)

.PHONY: bench
bench: $(VENV)/dev upstream ## run the quick benchmarks
	@set -e; for benchmark in $(BENCHMARKS); do \
		echo "== $$benchmark"; PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python "$$benchmark"; done

.PHONY: bench-registration
bench-registration: $(VENV)/dev upstream ## from registering an API to its first 200, against the real kube-aggregator
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/registration.py $(ARGS)

.PHONY: bench-fleet
bench-fleet: $(VENV)/dev ## 1,000 xDS streams of 1,000 clusters: time of a change, cost of a reconnect, memory
	@$(BIN)/python benchmarks/fleet.py $(ARGS)

.PHONY: bench-scale
bench-scale: $(VENV)/dev ## 10,000 APIServices through the real Envoy against 10: time to the first 200, cold start, memory
	@$(BIN)/python benchmarks/scale.py $(ARGS)

.PHONY: bench-verdicts
bench-verdicts: $(VENV)/dev ## what authorization costs Envoy: verdicts known, every request asked about, none at all
	@$(BIN)/python benchmarks/verdicts.py $(ARGS)

.PHONY: bench-path
bench-path: $(VENV)/dev upstream ## a request's way through Isthmus against the real kube-aggregator: throughput, latency, CPU
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/path.py $(ARGS)

.PHONY: upstream
upstream: $(VENV)/dev ## build kube-apiserver, etcd, kubectl, sample-apiserver and grpcurl for the live tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/upstream/build.py

.PHONY: compose-base
compose-base: $(VENV)/dev ## make what the tests run containers with (needs root on Debian)
	@$(BIN)/python tests/containers/prepare.py

.PHONY: wheels
wheels: wheels/complete ## download the packages of the image, so that it can be built without a package registry

.PHONY: lock
lock: $(VENV)/bootstrap ## write the lock files again from pyproject.toml
	@$(COMPILE) --group bootstrap --output-file requirements/bootstrap.txt
	@$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	@$(COMPILE) pyproject.toml --group dev --group upstream --constraints requirements/runtime.txt \
		--output-file requirements/dev.txt

.PHONY: clean
clean: ## remove what was installed and generated here (.isthmus, with its PKI, stays)
	rm -rf $(VENV) wheels build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: each says that the lock file it depends on is installed.

$(VENV)/bootstrap: requirements/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON) on PATH; install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"Isthmus needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12 ..." \
		>&2; exit 1; }
	@echo "creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/runtime: requirements/runtime.txt pyproject.toml $(VENV)/bootstrap
	@echo "installing what Isthmus runs with ..."
	@$(INSTALL) -r $<
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/runtime
	@echo "installing what the checks and tests need ..."
	@$(INSTALL) -r $<
	@touch $@

# The image's build compares what the stamp says with the lock files, and leaves packages for others alone.
wheels/complete: requirements/bootstrap.txt requirements/runtime.txt $(VENV)/bootstrap
	@echo "downloading the packages of the image into wheels ..."
	@rm -rf wheels
	@set -e; for lock in bootstrap runtime; do $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps \
		--require-hashes --only-binary :all: --python-version 3.11 --requirement requirements/$$lock.txt --dest wheels; done
	@cd requirements && sha256sum bootstrap.txt runtime.txt >../$@
