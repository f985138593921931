package databasetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

// tries is how many failures in all Deliver puts up with.
const tries = 500

// Deliver sends blocks of points in order, as the agent does: with a database.Confirmer it confirms after every window
// blocks, and whatever fails is sent again from the first block that was not confirmed. Rejected points are left out the
// next time. It returns the errors on the way, rejections among them, and an error when the blocks did not get through.
func Deliver(ctx context.Context, c database.Client, window int, blocks ...[]aggregator.Metric) (errs []error, err error) {
	confirmer, _ := c.(database.Confirmer)
	blocks = slices.Clone(blocks)
	confirmed, failures := 0, 0
	for confirmed < len(blocks) {
		end := confirmed + 1
		if confirmer != nil {
			end = min(confirmed+window, len(blocks))
		}
		err := sendAll(ctx, c, blocks[confirmed:end], &errs)
		if err == nil && confirmer != nil {
			err = confirmer.Confirm(ctx)
		}
		if err == nil {
			confirmed, failures = end, 0
			continue
		}
		errs = append(errs, err)
		if failures++; failures > tries || ctx.Err() != nil {
			return errs, fmt.Errorf("block %d of %d does not get through: %w", confirmed, len(blocks), err)
		}
		_ = sleep(ctx, time.Millisecond)
	}
	return errs, nil
}

// sendAll sends blocks until one fails. It takes rejected points out of them.
func sendAll(ctx context.Context, c database.Client, blocks [][]aggregator.Metric, errs *[]error) error {
	for i := range blocks {
		err := c.Send(ctx, blocks[i])
		var r *database.Rejected
		if errors.As(err, &r) {
			*errs = append(*errs, err)
			blocks[i] = without(blocks[i], r)
			err = r.Rest
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func without(ms []aggregator.Metric, r *database.Rejected) []aggregator.Metric {
	var kept []aggregator.Metric
	for i, m := range ms {
		if !slices.ContainsFunc(r.Points, func(p database.Point) bool { return p.Index == i }) {
			kept = append(kept, m)
		}
	}
	return kept
}
