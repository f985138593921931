// Package registry holds named plugins: the aggregators and the databases that an agent knows.
package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Registry maps a plugin's type name, as the configuration spells it, to its factory. It is filled before the agent
// starts and only read afterwards; it is not safe for concurrent writing.
type Registry[T any] struct {
	kind  string // "aggregator" or "database", for messages
	named map[string]T
}

// New makes an empty registry. Kind says in error messages what it holds.
func New[T any](kind string) *Registry[T] {
	return &Registry[T]{kind: kind, named: map[string]T{}}
}

// Add registers v under name. A name that is taken is a mistake in the program's list, so it panics.
func (r *Registry[T]) Add(name string, v T) {
	if _, taken := r.named[name]; taken {
		panic(fmt.Sprintf("%s %q is registered twice", r.kind, name))
	}
	r.named[name] = v
}

// Get returns what is registered under name, or an error that lists what is known.
func (r *Registry[T]) Get(name string) (T, error) {
	v, ok := r.named[name]
	if !ok {
		return v, fmt.Errorf("unknown %s %q (known: %s)", r.kind, name, strings.Join(r.Names(), ", "))
	}
	return v, nil
}

// Names lists the registered names in alphabetical order.
func (r *Registry[T]) Names() []string { return slices.Sorted(maps.Keys(r.named)) }
