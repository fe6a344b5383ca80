# Needs Python 3.11 or newer, make, and a package index; no root, no server.
PYTHON ?= python3
PHOTOS ?=
FILES ?= 10000
# The last commit of version 0.1.
SINCE ?= ac5212f
PICTURES ?= 1000
# One more than two cores: many tests wait for a server or a time.
TESTERS ?= 3
SEEDS ?= 20
BURST ?= 100000
MINUTES ?= 60
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
EXPORT = .venv/bin/uv export --quiet --frozen --all-extras --no-default-groups
CHECKOV = .venv/bin/uv tool run --quiet --from 'checkov==3.3.30' checkov --skip-download --compact --quiet
LOCKED = src/renditions/deploy/locked.txt

.PHONY: setup demo serve test test-api test-load test-servers test-queue test-infra test-memory scan audit lint bench bench-quick fuzz
.PHONY: pictures clean
.DEFAULT_GOAL := setup

# The tests start hundreds of commands; without bytecode each would compile all its libraries again.
unexport PYTHONDONTWRITEBYTECODE

setup: .venv/ready

# What the program needs. The tests' hundred libraries would delay a first demo, and some have no wheels everywhere.
.venv/installed: pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	.venv/bin/uv sync --quiet --frozen --all-extras --no-default-groups --inexact --python .venv/bin/python
	@touch .venv/installed

# What the tests and checks need besides.
.venv/ready: .venv/installed
	.venv/bin/uv sync --quiet --frozen --all-extras --inexact --python .venv/bin/python
	@touch .venv/ready

demo: .venv/installed
	.venv/bin/renditions demo $(if $(PHOTOS),--photos "$(PHOTOS)")

# The page and the API, on the demo's folder.
serve: .venv/installed
	.venv/bin/renditions serve --demo

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python docs/glossary.py
	@$(EXPORT) --no-emit-project --no-header --no-annotate --format requirements-txt | diff -q - $(LOCKED) \
		|| { echo "$(LOCKED) differs from uv.lock. Run: make locked"; exit 1; }

test: lint
	.venv/bin/python -m pytest -rfEs -n $(TESTERS) --dist loadfile --no-loadscope-reorder --limit 300

# The contract suites on Ceph's gateway for S3 and on dynalite for DynamoDB, and a function in
# AWS's emulator of Lambda; all installed into build/servers.
test-servers: setup
	PYTHONPATH=tests .venv/bin/python -m servers

# Sends more than 5,000 generated requests to a running server and checks each answer against the API's
# description.
test-api: setup
	API_EXAMPLES=480 .venv/bin/python -m pytest -s tests/web/test_description.py

# Generates a client from the API's description, which must give no warning, and uses it. The generator is installed
# apart because its libraries don't fit beside those of the tests.
.PHONY: test-client
test-client: setup
	.venv/bin/python -m pytest -s tests/web/generated_client.py

# Sends PICTURES pictures through a queue and two workers, and prints how long that took.
test-queue: setup
	QUEUE_PICTURES=$(PICTURES) .venv/bin/python -m pytest -s tests/aws/test_queue.py -k two_workers

# Processes thirty pictures SEEDS times behind a network that refuses, resets, cuts and delays requests.
.PHONY: test-network
test-network: setup
	NETWORK_SEEDS=$(SEEDS) NETWORK_PICTURES=30 .venv/bin/python -m pytest -s tests/faults/test_network.py

# Uploads BURST pictures at once.
.PHONY: test-burst
test-burst: setup
	BURST=$(BURST) .venv/bin/python -m pytest -s tests/faults/test_burst.py

# Has worker processes give 100,000 forged answers to the process that holds the catalog.
.PHONY: test-forged
test-forged: setup
	FORGED=100000 .venv/bin/python -m pytest -s -n $(TESTERS) tests/local/workers/test_messages.py

# Passes huge pictures to a function whose memory the kernel limits, and measures what pictures take. Takes some
# minutes. Needs root.
test-memory: setup
	.venv/bin/python -m pytest -s tests/serverless/limited.py tests/imaging/peaks.py

# Builds the examples for Hugo, Eleventy and Astro with the real builders, which it installs into build/sites. Needs
# Node.js with npm.
.PHONY: test-sites
test-sites: setup
	.venv/bin/python -m pytest tests/sites/builders.py

# Builds the wheel, installs it with each of PYTHONS, and runs the examples and the documents' snippets there.
.PHONY: test-wheel
test-wheel: setup
	rm -rf build/dist && .venv/bin/uv build --quiet --wheel --out-dir build/dist
	@for python in $(PYTHONS); do \
		version=$$($$python --version 2>/dev/null) || { echo "NOT TESTED: there is no $$python"; continue; }; \
		echo "$$version"; export UV_PROJECT_ENVIRONMENT=build/wheel/$$python; \
		.venv/bin/uv sync --quiet --frozen --all-extras --no-install-project --python $$python \
			&& .venv/bin/uv pip install --quiet --python $$UV_PROJECT_ENVIRONMENT uv build/dist/*.whl \
			&& $$UV_PROJECT_ENVIRONMENT/bin/python -m pytest -q -p no:cacheprovider \
				tests/programs tests/docs/test_snippets.py || exit 1; \
	done

# Applies the Terraform module to a server on this machine. Takes some minutes. Needs terraform or tofu.
test-infra: setup scan
	.venv/bin/python -m pytest tests/infra/applied.py

# Builds the wheel with python -m build, installs it into an empty environment without pip, and plans the deployment of
# each preset there. Takes some minutes. Needs terraform or tofu.
.PHONY: test-distribution
test-distribution: setup
	.venv/bin/python -m pytest tests/deploy/distribution.py

# Runs a security scanner over the module, the Dockerfile and the workflow. It is installed apart because it brings
# a hundred libraries.
scan: setup
	$(CHECKOV) --framework dockerfile github_actions \
		--file examples/container/Dockerfile .github/workflows/release.yml
	$(CHECKOV) --framework terraform --directory infra/terraform

# Looks up known flaws of the locked libraries on PyPI. Fails too if one couldn't be looked up, and names it.
audit: setup
	.venv/bin/python docs/audit.py

# Writes the hashes of the locked libraries for the package, which checks what goes into a bundle.
.PHONY: locked
locked: setup
	$(EXPORT) --no-emit-project --no-header --no-annotate --format requirements-txt >$(LOCKED)

# Lists the package's locked libraries with their hashes in build/renditions.cdx.json (CycloneDX), for scanners.
.PHONY: sbom
sbom: setup
	mkdir -p build
	$(EXPORT) --format cyclonedx1.5 >build/renditions.cdx.json

# Uploads 1,000 pictures from 32 clients at once, then again with the server killed in the middle.
test-load: setup
	UPLOADS=1000 CLIENTS=32 .venv/bin/python -m pytest -s tests/web/test_load.py

# Retries 100,000 failed pictures, and serves 100 slow readers of a large file; prints what others waited.
.PHONY: test-crowds
test-crowds: setup
	MANY_FAILED=100000 SLOW_READERS=100 .venv/bin/python -m pytest -s tests/web/test_crowds.py

# Lets 1,001 slow clients of each kind attack a server, and times 32 honest ones; a quarter of an hour.
.PHONY: slow-clients
slow-clients: setup
	PYTHONPATH=tests .venv/bin/python -m benchmarks.slow_clients

bench: setup
	.venv/bin/python -m benchmarks.imaging
	.venv/bin/python -m benchmarks.auto
	.venv/bin/python -m benchmarks.plan
	.venv/bin/python -m benchmarks.startup
	.venv/bin/python -m benchmarks.trying
	PYTHONPATH=tests .venv/bin/python -m benchmarks.throughput
	PYTHONPATH=tests .venv/bin/python -m benchmarks.confinement
	PYTHONPATH=tests .venv/bin/python -m benchmarks.requests
	PYTHONPATH=tests .venv/bin/python -m benchmarks.content

bench-quick: setup
	.venv/bin/python -m benchmarks.imaging --quick

# The hash of every rendition of a fixed corpus, to compare two versions by; two minutes.
.PHONY: bytes
bytes: setup
	PYTHONPATH=tests .venv/bin/python -m benchmarks.bytes

# CPU time, bytes and quality of the engine against the version in the folder OLD, which has its .venv.
.PHONY: versions
versions: setup
	.venv/bin/python -m benchmarks.versions $(OLD)

# What this version makes again of the outputs of an older one, whose command is OLD.
.PHONY: upgrade
upgrade: setup
	PYTHONPATH=tests .venv/bin/python -m benchmarks.upgrade $(OLD)

# Compares what Renditions, sharp, Pillow and ImageMagick make of unusual files, for docs/formats.md. Needs
# Node.js with npm, and ImageMagick; what isn't there is left out.
.PHONY: formats
formats: setup
	.venv/bin/python docs/format_tables.py
	PYTHONPATH=tests .venv/bin/python -m benchmarks.formats

# Compares declared colours with what Chromium draws, for docs/colour.md. Needs avifenc (libavif-bin).
.PHONY: colours
colours: setup
	PYTHONPATH=tests .venv/bin/python -m imaging.colour_table

# Sends damaged pictures through the worker processes, some 100 files a second. docs/robustness.md
fuzz: setup
	PYTHONPATH=tests .venv/bin/python -m fuzz --files $(FILES)

# How many of the engine's lines that were added since a commit these files run; one minute.
.PHONY: fuzz-lines
fuzz-lines: setup
	PYTHONPATH=tests .venv/bin/python -m fuzz.lines --since $(SINCE)

# Simulated histories of faults, then mutations of the core that must be caught; prints its numbers. Then
# `renditions sync` is killed fifty times.
.PHONY: faults
faults: setup
	PYTHONPATH=tests .venv/bin/python -m faults
	KILLS=50 .venv/bin/python -m pytest -q tests/faults/test_kill.py

# Runs a server for MINUTES under a realistic mix of events: nothing may grow. docs/robustness.md
.PHONY: soak
soak: setup
	PYTHONPATH=tests .venv/bin/python -m faults.soak --minutes $(MINUTES)

# Builds the site of the documents in build/site. A broken link ends it.
.PHONY: docs
docs: setup
	.venv/bin/uv sync --quiet --frozen --all-extras --inexact --group docs --python .venv/bin/python
	.venv/bin/sphinx-build --quiet --fresh-env --fail-on-warning --nitpicky --keep-going -c docs . build/site
	@echo "Open build/site/index.html"

# Runs what the pages say with an installed wheel, also what takes long: deployments, installing. Takes some minutes.
.PHONY: docs-test
docs-test: setup
	rm -rf build/docs-wheel
	.venv/bin/uv build --quiet --wheel --out-dir build/docs-wheel
	$(PYTHON) -m venv --clear build/docs-venv
	build/docs-venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls $(CURDIR)/build/docs-wheel/*.whl)[all]"
	DOCS_LONG=1 DOCS_PROGRAMS=$(CURDIR)/build/docs-venv/bin .venv/bin/python -m pytest -s tests/docs/test_snippets.py

# Draws the documents' pictures again.
pictures: setup
	.venv/bin/python docs/draw.py
	.venv/bin/python docs/recording.py
	PYTHONPATH=tests .venv/bin/python docs/screens.py

clean:
	rm -rf .venv demo benchmarks/.cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
