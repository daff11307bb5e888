# Counterfoil: `make demo` shows it, `make test` is the whole gate, `make check` the quick loop.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/counterfoil/target
VENV ?= $(HOME)/.cache/counterfoil/venv
GOBIN_DIR ?= $(HOME)/.cache/counterfoil/go
AZURITE_DIR ?= $(HOME)/.cache/counterfoil/azurite
export PATH := $(PATH):$(GOBIN_DIR):$(AZURITE_DIR)/node_modules/.bin
PYENVS ?= $(HOME)/.cache/counterfoil
BENCH_DIR ?= $(HOME)/.cache/counterfoil/bench
COUNTERFOIL = $(CARGO_TARGET_DIR)/release/counterfoil
CLIENTS = COUNTERFOIL=$(CARGO_TARGET_DIR)/debug/counterfoil PYTHON=$(VENV)/bin/python GOBIN_DIR=$(GOBIN_DIR)

.PHONY: ours console demo dist test test-full check lint deps interop python test-python examples deny fuzz torture bench

# Cargo tells by time what is fresh, not by folder: programs of another checkout that shared the target folder are stale.
ours:
	@mkdir -p $(CARGO_TARGET_DIR)
	@test "$$(cat $(CARGO_TARGET_DIR)/.checkout 2>/dev/null)" = "$(CURDIR)" || \
		{ find crates bench -name '*.rs' -exec touch {} + && echo "$(CURDIR)" >$(CARGO_TARGET_DIR)/.checkout; }

# The web console, where Node is; without it the program is built all the same and says what is missing.
console: console/dist/index.html

console/dist/index.html: $(shell find console/src console/public console/index.html console/vite.config.ts console/package-lock.json 2>/dev/null)
	@if command -v npm >/dev/null; then cd console && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build; \
	else echo "no npm here: the program is built without its console (install Node 20 to have it)"; fi

# Builds the program and shows its main job on real input.
demo: ours console
	cargo build --release --locked -p counterfoil-cli
	COUNTERFOIL=$(COUNTERFOIL) scripts/demo.sh

# What an operator installs (binary, man pages, completions, unit, container file, sample settings, documentation), and the wheel.
dist: ours console
	cargo build --release --locked -p counterfoil-cli
	scripts/pyenv.sh $(PYENVS)/py-tests python/tests/requirements.txt
	COUNTERFOIL=$(COUNTERFOIL) MATURIN=$(PYENVS)/py-tests/bin/maturin scripts/dist.sh dist

# The gate draws the same samples every time; `make torture` draws new ones.
test: export PROPTEST_RNG_SEED = 20261124

# Everything: formatting, lints, every test, the fuzz corpora, and programs that are not ours.
test: deps lint
	cargo test --workspace --locked
	$(MAKE) interop test-python examples

# The quick loop.
check: ours
	cargo fmt --all --check
	cargo check --workspace --all-targets --locked

lint: ours console
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/with.sh npm -- npm --prefix console run --silent check
	scripts/with.sh npm -- npm --prefix console test --silent

# What the tests and the benchmark need beside Rust, Go and Node: Python packages in a folder of their own, and programs that apt
# installs where it may.
deps: console
	VENV=$(VENV) GOBIN_DIR=$(GOBIN_DIR) AZURITE_DIR=$(AZURITE_DIR) scripts/deps.sh
	scripts/pyenv.sh $(PYENVS)/py-sinks crates/sink/tests/doubles/requirements.txt

# Programs that are not ours verify what the program wrote.
interop: deps ours
	cargo build --locked -p counterfoil-cli
	$(CLIENTS) scripts/with.sh go -- interop/run.sh
	$(CLIENTS) scripts/with.sh go -- interop/service/run.sh
	$(CLIENTS) interop/service/openapi.sh
	$(CLIENTS) scripts/with.sh psql javac mvn -- interop/pg/run.sh
	$(CLIENTS) scripts/with.sh versitygw curl -- interop/lake/run.sh
	$(CLIENTS) scripts/with.sh javac mvn -- interop/report/run.sh
	$(CLIENTS) scripts/with.sh node chromium -- node interop/browser/walk.mjs

# The Python package with its native part, in the checkout.
python: ours
	cargo build --locked -p counterfoil-cli -p counterfoil-python
	@cp $(CARGO_TARGET_DIR)/debug/lib_core.so python/counterfoil/.core.new && mv python/counterfoil/.core.new python/counterfoil/_core.abi3.so

# The package's own tests, and those of its integrations in the environments of their engines.
test-python: export COUNTERFOIL = $(CARGO_TARGET_DIR)/debug/counterfoil
test-python: export PYTHONDONTWRITEBYTECODE = 1
test-python: python
	scripts/pyenv.sh $(PYENVS)/py-tests python/tests/requirements.txt
	scripts/pyenv.sh $(PYENVS)/py-tests-airflow examples/airflow/requirements.txt python/tests/pytest.txt
	scripts/pyenv.sh $(PYENVS)/py-tests-prefect examples/prefect/requirements.txt python/tests/pytest.txt
	cd python && $(PYENVS)/py-tests/bin/ruff check --config pyproject.toml . ../examples
	cd python && $(PYENVS)/py-tests/bin/ruff format --config pyproject.toml --check . ../examples
	cd python && $(PYENVS)/py-tests/bin/mypy
	cd python && $(PYENVS)/py-tests/bin/pytest
	cd python && $(PYENVS)/py-tests-airflow/bin/pytest tests/on_airflow
	cd python && $(PYENVS)/py-tests-prefect/bin/pytest tests/on_prefect

# Workflows on their real engines; each leaves a ledger that verifies and a trail that says what it must.
examples: python
	for example in $(notdir $(patsubst %/run.sh,%,$(wildcard examples/*/run.sh))); do \
		COUNTERFOIL=$(CARGO_TARGET_DIR)/debug/counterfoil examples/run.sh $$example --check || exit 1; done

# The long walks: every page of the console with screenshots, ten thousand connections, Spark.
test-full: deps ours
	cargo build --locked -p counterfoil-cli
	$(CLIENTS) node interop/browser/walk.mjs --full --screenshots docs/screenshots
	$(CLIENTS) interop/service/run.sh --full
	scripts/pyenv.sh $(PYENVS)/py-spark interop/lake/requirements.txt
	$(CLIENTS) PYTHON=$(PYENVS)/py-spark/bin/python scripts/with.sh versitygw curl java mvn -- interop/lake/run.sh --spark $(PYENVS)/spark-jars

# Licences, duplicates and sources of all dependencies; asks no advisory database.
deny:
	cargo deny --locked check licenses bans sources

# One minute a target; needs cargo-fuzz and a nightly toolchain.
fuzz:
	fuzz/run.sh

# The long counts of crash seeds and kills.
torture: ours
	COUNTERFOIL_SEEDS=5000 COUNTERFOIL_KILLS=500 cargo test --locked -p counterfoil --test it -- --nocapture crash simulation kill

# The figures of docs/performance.md; results and plot in bench/results.
bench: deps ours
	cargo build --release --locked -p counterfoil-bench -p counterfoil-cli -p counterfoil-python
	scripts/pyenv.sh $(PYENVS)/py-tests python/tests/requirements.txt
	rm -rf $(BENCH_DIR)/python && mkdir -p $(BENCH_DIR)/python && cp -r python/counterfoil $(BENCH_DIR)/python
	cp $(CARGO_TARGET_DIR)/release/lib_core.so $(BENCH_DIR)/python/counterfoil/_core.abi3.so
	PYTHONPATH=$(BENCH_DIR)/python OUT=bench/results/python.json $(PYENVS)/py-tests/bin/python python/bench/compare.py
	COUNTERFOIL=$(COUNTERFOIL) PYTHON=$(VENV)/bin/python BENCH_DIR=$(BENCH_DIR) BENCH=$(CARGO_TARGET_DIR)/release/counterfoil-bench bench/run.sh
