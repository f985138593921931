# Everything needs Debian 12 and nothing else: as root, what is missing (Go too) is installed first, and its services are
# not started. Elsewhere, or as another user, a message says what to install.

GO      := internal/bed/go.sh
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w $(if $(VERSION),-X github.com/clusterload/clusterload/agent.version=$(VERSION))

.PHONY: build demo test check bench docs clean

build: ## the agent and the embedded Graphite: build/clusterload and build/clusterload-store, static programs
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o build/ ./cmd/...

demo: build ## a real one-machine Slurm with a stream of jobs, the agent, and the load live in the terminal
	internal/bed/packages.sh demo
	CGO_ENABLED=0 $(GO) build -o build/ ./internal/demo
	build/demo

test: ## everything: a missing server is a failure
	internal/bed/packages.sh test
	$(MAKE) --no-print-directory check
	CLUSTERLOAD_SERVERS=required CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

check: docs ## formatting, vet, staticcheck, and that the generated docs are those of the code
	@unformatted=$$(git ls-files -z '*.go' | xargs -0 "$$($(GO) env GOROOT)/bin/gofmt" -l) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	git diff --exit-code -- docs/metrics.md

docs: build ## docs/metrics.md, from what the aggregators declare
	build/clusterload metrics >build/metrics.md
	mv build/metrics.md docs/metrics.md

bench: ## ratios, each measured in one run
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

clean:
	rm -rf build
