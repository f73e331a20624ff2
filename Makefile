# make serve   install what serving needs (no torch) into .venv, start the service on 127.0.0.1:8000
# make test    install everything, run the tests
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
AUDIT := .venv-audit/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# An environment of its own that sees the development packages.
define on_top_of_dev
$(PYTHON) -m venv $(1)
$(1)/bin/python -c "import sysconfig as s; open(s.get_path('purelib') + '/dev.pth', 'w').write('import site; site.addsitedir(\'$(CURDIR)/' + s.get_path('purelib', vars={'base': '.venv'}) + '\')')"
endef

.PHONY: serve test test-hls4ml test-nas test-mlir-data test-object-store test-simulate train check audit docs screenshots lock clean

serve: .venv/.serve
	$(BIN)/python -m costmodel serve --host $(HOST) --port $(PORT)

# Two files of tests at a time.
test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The simulators' own environment: their packages do not go together with the others.
test-simulate: .venv-sim/.done
	.venv-sim/bin/python -m pytest --noconftest -p no:cacheprovider tests/costmodel/test_simulate.py

.venv-sim/.done: datasets/host_networks/requirements-sim.txt
	$(PYTHON) -m venv .venv-sim
	.venv-sim/bin/python -m pip --disable-pip-version-check --quiet install --no-compile -r $< -r requirements/build.in pytest
	.venv-sim/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -e .
	touch $@

# hls4ml itself, in an environment of its own: the designs that it builds beside those that are read.
test-hls4ml: .venv-hls4ml/.done
	.venv-hls4ml/bin/python -m pytest --noconftest -p no:cacheprovider tests/featurizers/hls4ml/test_projects.py

.venv-hls4ml/.done: requirements/hls4ml.txt
	$(PYTHON) -m venv .venv-hls4ml
	.venv-hls4ml/bin/python -m pip --disable-pip-version-check --quiet install --no-compile -r $<
	touch $@

# Search frameworks on top of the development packages: each client's example against the framework itself.
test-nas: .venv-nas/.done
	.venv-nas/bin/python -m pytest -rs -p no:cacheprovider tests/costmodel/nas/test_clients.py

.venv-nas/.done: requirements/nas.txt .venv/.dev
	$(call on_top_of_dev,.venv-nas)
	.venv-nas/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	.venv-nas/bin/python -m pip --disable-pip-version-check --quiet install --no-deps archai==1.0.0
	touch $@

# What only the recipe of the MLIR data set needs, on top of the development packages: torch-mlir's importer, IREE's runtime.
test-mlir-data: .venv-mlir-data/.done
	.venv-mlir-data/bin/python -m pytest -rs -p no:cacheprovider tests/costmodel/mlir/generators/test_torch_*.py tests/costmodel/mlir/labelling/test_iree.py

.venv-mlir-data/.done: requirements/mlir-data.txt .venv/.dev
	$(call on_top_of_dev,.venv-mlir-data)
	.venv-mlir-data/bin/python -m pip --disable-pip-version-check --quiet install --no-deps -r $<
	touch $@

# MLflow's server with its artifacts in a bucket; moto stands for S3. With a folder it is tested by `make test`.
test-object-store: .venv-object-store/.done
	.venv-object-store/bin/python -m pytest -rs -p no:cacheprovider tests/costmodel/tracking/test_mlflow_server.py -k bucket

.venv-object-store/.done: requirements/object-store.txt .venv/.dev
	$(call on_top_of_dev,.venv-object-store)
	.venv-object-store/bin/python -m pip --disable-pip-version-check --quiet install --no-compile -r $<
	touch $@

train: .venv/.dev
	$(BIN)/python -m costmodel train --kind network

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Known weaknesses of the locked packages, by PyPI's advisories. What an index cannot tell is counted, and fails nothing.
# All of serve.lock stands in dev.lock.
audit: .venv-audit/.done
	@mkdir -p build
	@$(AUDIT)/python -m pip_audit --disable-pip --no-deps -r requirements/dev.lock --timeout 20 > build/audit 2>&1; status=$$?; \
	grep -E "^Found|GHSA|PYSEC|CVE" build/audit; \
	echo "dev.lock: status $$status, $$(grep -c 'could not be audited' build/audit) packages could not be looked up"; \
	! grep -q "^Found .* known vulnerabilit" build/audit

.venv-audit/.done:
	$(PYTHON) -m venv .venv-audit
	$(AUDIT)/python -m pip --disable-pip-version-check --quiet install --no-compile pip-audit
	touch $@

# The documentation as a site in build/site; a warning fails it.
docs: .venv/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# The pictures of docs/images, by the tests of the page: the journeys that they show have passed.
screenshots: .venv/.dev
	COSTMODEL_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/service/page

# The lock is exact; costmodel itself is linked, so that an edit needs no install.
.venv/.serve: requirements/serve.lock pyproject.toml | .venv/bin/python
	$(PIP) install -r requirements/serve.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# torch apart and pinned: see README, "Installing", for the CPU build. All processors compile, where pip has one do it.
.venv/.dev: requirements/dev.lock requirements/torch.txt pyproject.toml | .venv/bin/python
	$(PIP) install --no-compile -r requirements/torch.txt
	$(PIP) install --no-compile -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -qq -j 0 -x /tests/ .venv/lib || :
	touch $@ .venv/.serve

.venv/bin/python:
	$(PYTHON) -m venv .venv

lock: | .venv/bin/python
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    pyproject.toml requirements/build.in -o requirements/serve.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --constraint requirements/serve.lock \
	    --extra train --extra measure --extra gnn --extra distributed --extra dev pyproject.toml requirements/build.in -o requirements/dev.lock

clean:
	rm -rf .venv .venv-*
