package main

import (
	"context"
	"testing"
)

// withCancel is a context that ends with the test or before.
func withCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}
