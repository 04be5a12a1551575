# Every target is one plain command that also works alone.

# Reproducible, and shared by build and lint so that each finds the other's cache.
static = CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false'
# Quixand itself needs no tags. What is measured or tested against Podman's own
# client links that, and leaves out what it needs C libraries for.
tags = remote,containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper

help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' Makefile

build: ## bin/qs and bin/qs-agent: static, stripped, reproducible
	$(static) go build -ldflags='-s -w' -o bin/ ./cmd/...

# The agent is put in from bin/, and the source tree is left as it is.
release: build ## bin/release/qs: one file that needs no agent beside it
	mkdir -p out && gzip -9nc bin/qs-agent >out/qs-agent.gz
	echo '{"Replace":{"$(CURDIR)/internal/agentbin/qs-agent.gz":"$(CURDIR)/out/qs-agent.gz"}}' >out/overlay.json
	$(static) go build -tags=embedagent -overlay=out/overlay.json -ldflags='-s -w' -o bin/release/qs ./cmd/qs

demo: build ## the main job, step by step, on real rootless Podman
	hack/with-host --inside hack/demo

# A Podman of one's own is tried with the limits that its host has; what root gets
# has none.
test: release ## every test, with the race detector, on real rootless Podman
	hack/with-host sh -c 'hack/stock-templates && go test -race -timeout=30m -tags=$(tags) ./...'
	case "$$(id -u) $$(uname -m)" in "0 x86_64") $(MAKE) test-limits ;; esac

# The tests that need cgroup controllers, where there are some whatever the machine
# has. One that is skipped for want of them is a failure.
test-limits: release ## memory, processor and process limits, under a kernel of their own
	$(static) go build -ldflags='-s -w' -o bin/probe ./pkg/adapters/contract/probe
	QS_TEST_PROBE=$(CURDIR)/bin/probe QS_TEST_REQUIRE='podman,memory limit,cpu limit,pids limit' $(static) \
		hack/limits-host go test -p=1 -timeout=15m -tags=$(tags) -run='^(TestContract|TestEndToEnd)$$' \
		./pkg/adapters/podman ./test/e2e -ginkgo.label-filter=limits -ginkgo.fail-on-empty

test-remote: release ## the whole contract suite by the remote adapter and qs serve; make test runs groups of it
	QS_TEST_REMOTE=all hack/with-host go test -timeout=30m -v -count=1 -run='^TestContract$$' ./pkg/adapters/remote

crash: release ## 500 clients and 50 servers killed at any moment, and what is left counted
	hack/with-host go test -timeout=60m -v -count=1 -skip=Soak ./test/crash -kills=500 -crowd=200 $(CRASH)
	hack/with-host go test -timeout=30m -v -count=1 ./test/e2e/e2b -restarts=50 -ginkgo.focus='a server that is killed'

soak: build ## 2,000 sandboxes created, used and killed, and what the host has lost by it
	hack/with-host go test -timeout=90m -v -count=1 -run=Soak ./test/crash -cycles=2000 $(SOAK)

soak-e2b: release ## 10,000 commands through E2B's own SDK, each at 1, 2 and 8 at once
	QS_TEST_SOAK=10000 hack/with-host go test -timeout=30m -v -count=1 ./test/e2e/e2b -ginkgo.focus='loses no command'

bench: build ## all figures, as a table and as out/bench.json
	$(static) hack/with-host go run -tags=$(tags) ./hack/bench -json out/bench.json

# The cache is the checkout's own: with -trimpath two checkouts look the same to
# the linter, and one would be shown the other's files.
lint: ## formatting, vet, staticcheck and the import directions
	GOLANGCI_LINT_CACHE=$(CURDIR)/out/lint $(static) go tool -modfile=hack/tools.mod golangci-lint run --allow-parallel-runners --build-tags=$(tags)

generate: ## the code in internal/envd and internal/buildkit from their .proto files
	for d in envd buildkit; do (cd internal/$$d/proto && go tool -modfile=../../../hack/generate.mod buf generate) || exit; done

host-up: ## build and boot the test host, and leave it running
	hack/host up

host-down: ## end the test host
	hack/host down

clean: ## remove what was built here; hack/host clean removes the test host
	rm -rf bin out

.PHONY: help build release demo test test-limits test-remote crash soak soak-e2b bench lint generate host-up host-down clean
