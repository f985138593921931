package store

import (
	"context"
	"fmt"
	"sync"
)

// A budget bounds the points that all queries hold in memory at once. A query waits for room that others hold.
type budget struct {
	most  int64
	mu    sync.Mutex
	held  int64
	freed chan struct{} // closed and renewed whenever points are given back
}

func newBudget(most int64) *budget { return &budget{most: most, freed: make(chan struct{})} }

// A TooManyError says that a query would read more points than one may.
type TooManyError struct{ Most int64 }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("query reads more than %d points: ask for fewer series or a shorter time", e.Most)
}

// HTTPStatus is 422: Unprocessable Content.
func (e *TooManyError) HTTPStatus() int { return 422 }

type quotaKey struct{}

// A Quota is the part of the budget that one request holds.
type Quota struct {
	budget *budget
	mu     sync.Mutex
	held   int64
}

// WithQuota lets all reads below the context count as those of one request. The points are given back by the function
// that is returned with it, once the request has no more use for them.
func (s *Store) WithQuota(ctx context.Context) (context.Context, func()) {
	q := &Quota{budget: s.budget}
	return context.WithValue(ctx, quotaKey{}, q), q.release
}

// take asks for n more points and waits until others give back what it lacks. Who holds some while he waits could wait
// for another of his kind for ever; he is refused instead.
func (q *Quota) take(ctx context.Context, n int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held+n > q.budget.most {
		return &TooManyError{q.budget.most}
	}
	for {
		freed, ok := q.budget.try(n)
		if ok {
			q.held += n
			return nil
		}
		if q.held > 0 {
			return &BusyError{}
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) try(n int64) (<-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+n > b.most {
		return b.freed, false
	}
	b.held += n
	return nil, true
}

func (q *Quota) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= q.held
	q.held = 0
	close(b.freed)
	b.freed = make(chan struct{})
}

// A BusyError says that other queries hold the memory that this one needs.
type BusyError struct{}

func (*BusyError) Error() string { return "other queries hold too many points: ask again" }

// HTTPStatus is 503: Service Unavailable.
func (*BusyError) HTTPStatus() int { return 503 }
