// Command clusterload-store is a Graphite in one program: it takes points as lines and pickles, keeps them, and serves
// Graphite's HTTP API and the dashboard's pages.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "clusterload-store: %v\n", err)
		os.Exit(1)
	}
}
