# Two commands do everything on a machine with Rust, Python 3.10+, Node 20+ and make:
#
#   make demo    builds the three engines, starts a Flask, an Express and a Worker receiver, plays the sender against them
#   make test    the whole gate; what CI runs
#
# What is built is stamped in .build/, so a second run builds only what has changed. VERBOSE=1 shows every line.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# $(call sources,FOLDER...): what a build depends on
sources = $(shell find $(wildcard $(1)) \( -name node_modules -o -name dist -o -name target -o -name tests \) -prune \
	-o -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.ts' -o -name '*.lua' -o -name '*.sql' \) -print)

CORE := Cargo.toml Cargo.lock $(call sources,crates/hookproof bindings/engine)
STEP := @make/step
NPM := npm run --silent --workspace hookproof

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

.PHONY: demo test build
demo: build ## the reference sender against Flask, Express and a Worker (PLAIN=1: no colours)
	@python tests/http/demo.py $(if $(PLAIN),--plain)

STEPS := rust-format rust-lint rust-test rust-pure rust-licences \
	python-lint python-types python-test js-lint js-types js-test \
	conformance http-test interop-test store-test readme-test packaging-test torture-short
test: build .build/services .build/npm-stores ## everything that must hold before a change lands
	@make/gate.py $(STEPS)

build: .build/python .build/node .build/wasm .build/js .build/cli ## the engines, the packages and the program

# --- what the builds need ---------------------------------------------------------------------------------------------

.build/prerequisites: make/prerequisites
	@mkdir -p .build
	@make/prerequisites
	@touch $@

.build/venv: make/requirements.txt .build/prerequisites
	@[ -x .venv/bin/python ] || python3 -m venv .venv
	$(STEP) "python environment" .venv/bin/python -m pip install --quiet -r $<
	@touch $@

.build/npm: package.json package-lock.json $(wildcard bindings/js/package.json examples/*/package.json) .build/prerequisites
	$(STEP) "npm packages" npm ci
	@touch $@

# the packages that the program is compared with
.build/interop: tests/interop/package-lock.json tests/interop/requirements.txt .build/venv .build/prerequisites
	$(STEP) "packages to compare with" sh -c 'npm ci --ignore-scripts --prefix tests/interop && .venv/bin/python -m pip install --quiet -r tests/interop/requirements.txt'
	@touch $@

# install, not ci: a registry that is without a runtime's binaries for other platforms makes a lock that ci refuses
.build/npm-packaging: tests/packaging/js/package.json tests/packaging/js/package-lock.json .build/prerequisites
	$(STEP) "npm packages of packaging" npm --prefix tests/packaging/js install --no-save
	@touch $@

.build/npm-stores: tests/stores/js/package.json tests/stores/js/package-lock.json .build/prerequisites
	$(STEP) "npm packages of stores" npm --prefix tests/stores/js ci
	@touch $@

# servers and a browser that tests start for themselves
.build/services: make/packages
	@mkdir -p .build
	$(STEP) "redis, postgres, apache, chromium" make/packages \
		redis-server=redis-server initdb=postgresql apache2=apache2 libapache2-mod-wsgi-py3 chromium=chromium
	@touch $@

# --- the engines, the packages, the program ---------------------------------------------------------------------------

.build/python: .build/venv $(CORE) $(call sources,bindings/python/src) bindings/python/Cargo.toml bindings/python/pyproject.toml
	$(STEP) "python engine" maturin develop --release --manifest-path bindings/python/Cargo.toml
	@touch $@

.build/node: .build/npm $(CORE) $(call sources,bindings/node)
	$(STEP) "node engine" $(NPM) build:native
	@touch $@

.build/wasm: .build/npm $(CORE) $(call sources,bindings/wasm) make/wasm
	$(STEP) "wasm engine" $(NPM) build:wasm
	@touch $@

.build/js: .build/node .build/wasm $(call sources,bindings/js/src) bindings/js/tsconfig.json
	$(STEP) "javascript package" $(NPM) build:ts
	@touch $@

.build/cli: $(CORE) $(call sources,crates/hookproof-sender crates/hookproof-cli) .build/prerequisites
	$(STEP) "hookproof program" cargo build --quiet --release -p hookproof-cli
	@touch $@

# --- the steps of the gate --------------------------------------------------------------------------------------------

.PHONY: $(STEPS)
rust-format:
	cargo fmt --all --check
rust-lint:
	cargo clippy --quiet --workspace --all-targets -- -D warnings
rust-test: .build/services
	cargo test --quiet --workspace --exclude hookproof-python --exclude hookproof-node
rust-pure: # the core without std: what every other runtime relies on
	BUILD_STD=core,alloc make/wasm cargo check --quiet -p hookproof --no-default-features
rust-licences:
	make/licences.py
python-lint: .build/venv
	ruff check . && ruff format --check .
python-types: .build/python .build/npm
	mypy --strict bindings/python/hookproof make tests/conformance/compare.py tests/http
	npx --no-install pyright --pythonpath .venv/bin/python bindings/python/hookproof
python-test: .build/python .build/services
	pytest -q bindings/python/tests tests/conformance make
js-lint: .build/npm # formatted and free of what biome finds, warnings included
	npx biome ci --error-on-warnings .
js-types: .build/js
	$(NPM) typecheck
js-test: .build/js
	$(NPM) test
store-test: .build/npm-stores .build/js .build/python .build/services # with the Node that tests/stores/js brings: node:sqlite needs 22
	cd tests/stores/js && PATH="$$PWD/node_modules/.bin:$$PATH" node --test --test-reporter=spec *.test.mjs
	pytest -q tests/stores
conformance: build ## every vector in Rust, Python, Node (native, wasm) and workerd
	python tests/conformance/compare.py
http-test: build
	pytest -q tests/http
interop-test: build .build/interop ## the documents' samples and the providers' own packages, in both directions
	pytest -q tests/interop
readme-test: build
	pytest -q tests/readme
packaging-test: build .build/npm-packaging .build/services # with the runtimes and bundlers that tests/packaging/js brings
	pytest -q tests/packaging
	cd tests/packaging/js && node --test --test-reporter=spec *.test.mjs

torture-short: build .build/services .build/npm-stores
	python tests/torture/torture.py --short

# --- more -------------------------------------------------------------------------------------------------------------

.PHONY: lint format torture bench-python bench-js bench-stores docs deny wheel clean
lint: rust-format rust-lint python-lint python-types js-lint js-types ## format, clippy, ruff, mypy --strict, pyright, biome, tsc --strict
format: .build/venv .build/npm ## rewrites the sources in the common format
	cargo fmt --all
	ruff format . && ruff check --fix .
	npx biome check --write .
torture: build .build/services .build/npm-stores ## processes that die, stop and fail on each store, 2,000 events, 8 copies of each (SEED=n repeats a run)
	python tests/torture/torture.py $(if $(SEED),--seed $(SEED))
bench-python: .build/python ## one verification beside the libraries that people use, and what receiving adds to a request of Flask
	@code=0; for part in verify share; do python bindings/python/bench/$$part.py || code=1; echo; done; exit $$code
bench-js: .build/js ## verification in Node and in workerd beside what people use, the share of a request, a cold start, sizes, and the bars of each
	make/packages wrk=wrk
	node bindings/js/bench/all.mjs
bench-stores: .build/python .build/js .build/services .build/npm-stores ## what a claim costs on each store, beside the least that its client could do
	@code=0; python bindings/python/bench/stores.py || code=1; \
	(cd tests/stores/js && PATH="$$PWD/node_modules/.bin:$$PATH" node --no-warnings bench.mjs) || code=1; \
	cargo bench --quiet -p hookproof --bench memory_store || code=1; exit $$code
docs: .build/cli ## writes what is derived: in the documentation, and in the JavaScript package
	python tests/readme/derived.py
	HOOKPROOF_DERIVE=1 cargo test --quiet -p hookproof-engine --test store_texts
deny: ## licences, bans and advisories with cargo-deny, if it is installed (cargo install cargo-deny)
	cargo deny check
wheel: .build/venv ## the Python wheel, in .build/wheels
	maturin build --release --manifest-path bindings/python/Cargo.toml --out .build/wheels
clean: ## removes what was built, but not what was downloaded
	rm -rf .build/log $(addprefix .build/,python node wasm js cli) target bindings/js/dist bindings/js/engine
