# The developer's commands. Each is a small script in dev/; everything they make lies in .dev/ and target/.
# Variables:  PG=18|17|16|15   PG_CONFIG=/path/to/pg_config   ORT=cpu|gpu   DEV_DIR=/where/else
#             make test: SOAK=minutes   make soak: MINUTES=…   make fuzz, make sqlsmith: SECONDS=… SEED=…   make bench: BENCH=…
#             make model: MODEL=… FROM=… DTYPE=… RERANKER=1 FORCE=1   make versions: VERSIONS='15 17'
#             with PG=15|17, where not from apt's own mirror: DEBIAN_MIRROR=…

.DEFAULT_GOAL := help
.NOTPARALLEL:
MODEL ?= multilingual-e5-small
BENCH ?=
SEED ?= 1
MINUTES ?= 2
SOAK ?=
export MODEL BENCH SEED MINUTES SOAK
# A model that a command needs, made where it is missing. FROM=, DTYPE=, RERANKER= and FORCE= are meant for `make model` alone.
needed_model = env -u FROM -u DTYPE -u RERANKER -u FORCE dev/model.sh

##@ To start with
.PHONY: demo up psql url status down reset
demo: up                   ## everything from nothing: build, models, server, searches in Korean items, reranking, migration
	@$(needed_model) all-MiniLM-L6-v2
	@dev/demo.sh
up: build                  ## a private server with the extension and its default model, on a free port
	@$(needed_model) multilingual-e5-small
	@dev/server.sh up
psql:                      ## psql on it
	@dev/server.sh psql
url:                       ## only its address: psql "$(make -s url)"
	@dev/server.sh url
status:                    ## its state, port, socket, log, data
	@dev/server.sh status
down:                      ## stop it
	@dev/server.sh down
reset:                     ## its database again from nothing, after the extension's SQL changed
	@dev/server.sh reset

##@ To work with
.PHONY: setup build versions model test parity fixtures lint fmt bench soak torture image image-test sqlsmith fuzz fuzz-corpus sanitize env
setup:                     ## system packages, Python venv, cargo-pgrx, PostgreSQL
	@dev/setup.sh
build: setup               ## build the extension and install it into the private PostgreSQL
	@dev/build.sh
versions: setup            ## build for PostgreSQL 15, 16, 17 and 18, and pg_regress on each
	@dev/versions.sh
model: setup               ## a model directory: make model MODEL=KURE-v1 FROM=/its/checkpoint [DTYPE=int8] [RERANKER=1] [FORCE=1]
	@dev/model.sh "$$MODEL"
test: build                ## every test and linter, on a throw-away server
	@$(needed_model) multilingual-e5-small
	@$(needed_model) all-MiniLM-L6-v2
	@dev/build.sh 16 18 # the tests of pg_upgrade and of logical replication are about both
	@dev/vocabularies.sh || echo '    no real vocabularies: the tests that need them are skipped'
	@dev/test.sh
parity: build              ## other random models, drawn from SEED, against PyTorch: make parity SEED=7 (torch: several GB)
	@dev/parity.sh "$$SEED"
fixtures: setup            ## the tiny models and their reference vectors again (torch: several GB)
	@dev/fixtures.sh
lint: setup                ## formatting, clippy, ruff, shellcheck, the house rules
	@dev/lint.sh
fmt: setup                 ## let the formatters write
	@dev/fmt.sh
bench: build               ## tests/bench, or some of it, on a throw-away server: make bench BENCH=engine (full-size, p3 …)
	@$(needed_model) multilingual-e5-small
	@dev/bench.sh $$BENCH
torture: build             ## an embedding column under writers, cancels, kills and crashes, 176,443 rows; then all is checked
	@dev/torture.sh
soak: build                ## clients, cancels, disconnects and engine kills for so long: make soak MINUTES=30
	@$(needed_model) multilingual-e5-small
	@dev/soak.sh "$$MINUTES"
sqlsmith: build            ## random statements against every function, by sqlsmith and our own: make sqlsmith SECONDS=900
	@dev/sqlsmith.sh $(SECONDS)
fuzz: setup                ## each target of fuzz/ for so long, with the address sanitizer: make fuzz SECONDS=60
	@dev/fuzz.sh $(SECONDS)
fuzz-corpus: setup         ## fuzz/corpus again, least that covers the same
	@dev/fuzz.sh corpus
sanitize: build            ## the crates and the engine with address and leak sanitizer, under the engine's tests
	@$(needed_model) multilingual-e5-small
	@dev/sanitize.sh
# ORT is the image's alone: the venv keeps its own.
image:                     ## the container image of the Dockerfile, built without Docker; as root: make image [ORT=gpu]
	@env -u ORT dev/setup.sh
	@dev/image.sh build
image-test: image          ## its tests, in containers made without Docker; as root
	@dev/image.sh test
env:                       ## for your own shell: eval "$(make -s env)"
	@dev/env.sh

##@ To ship
.PHONY: package package-test
package: setup             ## Debian packages, a tarball, META.json and PGXN's sources for one server: make package PG=17
	@$(needed_model) multilingual-e5-small
	@dev/package.sh
package-test:              ## lintian, and the packages installed, used, upgraded, removed in a clean Debian 13 (root): PG=17
	@dev/package-test.sh

##@ To tidy up
.PHONY: clean clean-dev help
clean:                     ## remove what cargo built
	cargo clean
clean-dev:                 ## stop the servers and remove .dev, data included
	@dev/clean.sh
help:
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } \
	    / ## / && /^[a-z-]+:/ { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
