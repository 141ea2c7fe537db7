# Every chore is one target and one line of explanation; `make help` lists them.
# Logic of more than a line is in .ci/ or in Swift.

SWIFT ?= swift
MODEL ?= Models/nano-moe/model-q8_0.gguf
SEED ?= 1
RUNS ?= 5
PREFIX ?= /usr/local
BUILD ?= .build/release
MOE_FUZZ_ITERATIONS ?= 200000
TRACES ?= $(addprefix $(or $(MOE_TRACES),../shared/traces)/,real nano-moe)
# A fresh build takes an eighth less without debug information; profilers want `swift build -c release`.
RELEASE := -c release -debug-info-format none
# Without networking, which takes minutes: in a folder of its own, or each would rebuild the other's.
WITHOUT_SERVER := --disable-default-traits --scratch-path .build-run
WITH_TLS := --scratch-path .build-tls --traits TLS
HUB_SUITE := MOE_SUITES=MoEHubTests
WITH_SOLVER := --scratch-path .build-solver --traits GLPK
SOLVER_SUITE := MOE_SUITES=MoEAnalysisTests
PROCESSOR := $(shell sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1 | tr -c '[:alnum:]\n' '-')
# Every kernel on a worker's stack, which holds more without optimisation.
KERNELS_IN_DEBUG := OperationTeamTests|sharingOfSegmentsChangesNoBit|spansOfSeveralSequencesAreShared
SUITES_IN_DEBUG := MoECoreTests|MoECacheTests|MoEFormatsTests|ExtentReaderTests|$(KERNELS_IN_DEBUG)
TARGETS_IN_DEBUG := MoEPlatformTests|MoECoreTests|MoEKernelsTests|MoEFormatsTests|MoECacheTests|MoEStoreTests
# Millions of requests, weights of every family: minutes in debug, seconds in release.
SLOW_IN_DEBUG := RecordedTraceTests|SyntheticModelTests
SUITES_WITH_THREADS := MoEStoreTests|MoEKernelsTests|MoEExpertsTests|SimulationTests
SUITES_WITH_POINTERS := MoECoreTests|MoEFormatsTests|$(SUITES_WITH_THREADS)

.DEFAULT_GOAL := run
# Chores share one build folder, so they run one after the other even under `make -j`.
.NOTPARALLEL:
.PHONY: help run serve build install tests test test-dependent test-clients test-page test-hub \
	test-debug test-solver test-neon \
	check fuzz simulate golden bench bench-record record-folder race policies model-check sanitize format format-check deps clean

help: ## Lists the chores.
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 16

run: deps ## Builds, then lets a small model tell a story with 30 % of its experts in memory.
	@.ci/quietly $(SWIFT) build $(RELEASE) $(WITHOUT_SERVER) --product moe-run
	@$(SWIFT) run $(RELEASE) $(WITHOUT_SERVER) --skip-build moe-run $(MODEL) --expert-pool 30% -p "Once upon a time" -n 200 --temp 0.7 --seed $(SEED)

serve: deps ## Serves the embedded model at 127.0.0.1:8080, with a page.
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@$(SWIFT) run $(RELEASE) --skip-build moe-run serve $(MODEL)

build: deps ## Builds everything for release.
	$(SWIFT) build $(RELEASE)

install: deps ## Installs moe-run and the C library, without need of Swift: make install PREFIX=/usr/local.
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moerun
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@DESTDIR='$(DESTDIR)' .ci/install '$(BUILD)' '$(PREFIX)'

# Tests are built here alone: `swift test` would build everything again, its way.
# By their product: `--build-tests` would build all that the packages have which this one uses.
tests: deps
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-bench
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moerun
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-runtimePackageTests

test: tests ## Builds quietly for release and runs all tests.
	@$(SWIFT) test $(RELEASE) --skip-build

test-dependent: deps ## Builds and runs a package that depends on this one by its version.
	@.ci/quietly Tests/Fixtures/dependent/run.sh

test-clients: deps ## Talks with the server through the clients that people use, from pip.
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@.ci/with-server .ci/skippable python3 Tests/Fixtures/clients/run.py

test-page: deps ## Tests the server's page in headless Chromium.
	@.ci/install-packages chromium
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@cd Tests/Fixtures/page && MOE_PAGE=$(CURDIR)/Sources/MoEServer/Resources/page.html \
		python3 -m unittest test_page
	@.ci/with-server python3 Tests/Fixtures/page/test_served.py

test-hub: deps ## Builds with the trait TLS and tests models from a hub.
	@$(HUB_SUITE) .ci/quietly $(SWIFT) build $(RELEASE) $(WITH_TLS) --product moe-runtimePackageTests
	@$(HUB_SUITE) $(SWIFT) test $(RELEASE) $(WITH_TLS) --skip-build

test-debug: deps ## Runs the fast suites in a debug build, with assertions on.
	@MOE_SUITES='$(TARGETS_IN_DEBUG)' .ci/quietly $(SWIFT) build --product moe-runtimePackageTests
	@MOE_SUITES='$(TARGETS_IN_DEBUG)' $(SWIFT) test --skip-build --filter '$(SUITES_IN_DEBUG)' --skip '$(SLOW_IN_DEBUG)'

test-solver: deps ## Builds with the trait GLPK and compares placements with the solver's.
	@.ci/install-packages libglpk-dev
	@$(SOLVER_SUITE) .ci/quietly $(SWIFT) build $(RELEASE) $(WITH_SOLVER) --product moe-runtimePackageTests
	@$(SOLVER_SUITE) $(SWIFT) test $(RELEASE) $(WITH_SOLVER) --skip-build --filter PlacementTests

test-neon: ## Compares the Arm kernels, in an emulator, with AVX2's bits.
	@.ci/install-packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	@Tests/Fixtures/neon/run.sh

check: format-check test ## The gate: format, house rules, release build, all tests.

fuzz: tests ## Runs the fuzz tests for long, from a new seed each time: make fuzz MOE_FUZZ_SEED=7.
	@seed=$${MOE_FUZZ_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} && \
		echo "MOE_FUZZ_SEED=$$seed MOE_FUZZ_ITERATIONS=$(MOE_FUZZ_ITERATIONS)" && \
		MOE_FUZZ_SEED=$$seed MOE_FUZZ_ITERATIONS=$(MOE_FUZZ_ITERATIONS) \
		$(SWIFT) test $(RELEASE) --skip-build --filter Fuzz

simulate: tests ## Replays the whole path on a faulty store: make simulate SEED=7.
	MOE_SIMULATION_SEED=$(SEED) $(SWIFT) test $(RELEASE) --skip-build --filter SimulationTests

golden: tests ## Compares logits and tokens with references; fails where these are missing.
	CI=true $(SWIFT) test $(RELEASE) --skip-build --filter GoldenTests

bench: deps ## Times kernels, reads and a model: make bench MODEL=model.gguf.
	$(SWIFT) run $(RELEASE) moe-bench --file '$(MODEL)' $(KERNEL_CSV)
	$(SWIFT) run $(RELEASE) moe-run bench '$(MODEL)' $(MODEL_CSV)

bench-record: RECORD := Records/$(PROCESSOR)/$(shell date +%F)
bench-record: KERNEL_CSV = --csv '$(RECORD).csv'
bench-record: MODEL_CSV = --csv '$(RECORD)-$(basename $(notdir $(MODEL))).csv'
bench-record: record-folder bench ## The same, added to this processor's records.

record-folder:
	@mkdir -p 'Records/$(PROCESSOR)'

race: deps record-folder ## Races llama.cpp: make race PEER=folder MODELS="a.gguf b.gguf" RUNS=5.
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-bench
	Benchmarks/race.py --peer '$(PEER)' --runs $(RUNS) \
		--csv 'Records/$(PROCESSOR)/$(shell date +%F)-race.csv' $(RACE) $(MODELS)

policies: deps ## Compares the cache policies on recorded routing: make policies TRACES="a.npz folder".
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	@$(SWIFT) run $(RELEASE) --skip-build moe-run policies $(TRACES)

model-check: deps ## Holds predicted speeds against runs: make model-check MODEL=large.gguf (an idle machine).
	@.ci/quietly $(SWIFT) build $(RELEASE) --product moe-run
	Benchmarks/model_check.py $(MODEL) --csv model-check.csv

sanitize: deps ## Runs the suites with threads under ThreadSanitizer, those with pointers under AddressSanitizer.
	@.ci/sanitize thread '$(SUITES_WITH_THREADS)'
	@.ci/sanitize address '$(SUITES_WITH_POINTERS)'

format: ## Formats all Swift files.
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Package.swift

format-check: ## Says what `make format` would change, and fails if that is anything.
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Package.swift

deps: ## Installs the system packages that are missing (Debian, Ubuntu).
	@.ci/install-packages pkg-config liburing-dev zlib1g-dev libzstd-dev

clean: ## Removes everything that was built.
	rm -rf .build .build-run .build-thread .build-address .build-solver .build-tls
