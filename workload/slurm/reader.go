package slurm

import (
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// A reader folds the output of one command. For each call of the command: begin, then line any number of times, then
// end where the command succeeded. After a call that failed the next begin follows.
type reader interface {
	// describe returns every metric that end may add.
	describe() []*aggregator.Desc

	// begin forgets what the last call gave. now is the tick's time: ages and waits are counted up to it.
	begin(now time.Time)

	// line takes one line without its newline, valid until it returns. An error is a parse error: it is counted, and
	// warned of once; the rest goes on.
	line(l []byte) error

	// end adds the metrics of a call that succeeded.
	end(b *aggregator.Batch)
}
