package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// partitionsArgs asks for the partitions, one a line, hidden ones among them: the name, without the default's "*", the
// unit separator, which no name has, and the availability.
var partitionsArgs = []string{"-h", "-a", "-o", "%R\x1f%a"}

var partitionUp = &aggregator.Desc{Template: "partition.{partition}.up", Unit: aggregator.State,
	Help: "1 where the partition is up, 0 where it is down, draining, inactive or gone", Source: "sinfo: %R, %a"}

var errPartition = errors.New(`want "name<unit separator>availability"`)

// partitions reads sinfo's lines of a partition and its availability each.
//
//	batch\x1fup
//	old\x1fdrain
type partitions struct {
	tok  *tokens
	rows map[string]*partitionRow
}

type partitionRow struct {
	presence
	up bool
}

func newPartitions(_ *Config, tok *tokens) reader {
	return &partitions{tok: tok, rows: map[string]*partitionRow{}}
}

func (r *partitions) describe() []*aggregator.Desc { return []*aggregator.Desc{partitionUp} }

func (r *partitions) begin(time.Time) {
	for _, row := range r.rows {
		row.seen, row.up = false, false
	}
}

func (r *partitions) line(l []byte) error {
	if len(l) == 0 {
		return nil
	}
	name, word, ok := bytes.Cut(l, []byte{0x1f})
	if !ok {
		return fmt.Errorf("sinfo %q: %w", clip(l), errPartition)
	}
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("partition %q: %w", clip(name), errName)
	}
	up, known := availability(bytes.TrimRight(word, " "))
	if !known {
		r.tok.unknown("partition availability", word)
		return nil
	}
	row := r.rows[string(name)]
	if row == nil {
		if len(r.rows) >= maxPartitions {
			return fmt.Errorf("partition %q: %w", name, errManyParts)
		}
		row = &partitionRow{}
		r.rows[string(name)] = row
	}
	row.seen, row.up = true, up
	return nil
}

// availability reads sinfo's word for a partition's state, which it cuts where a width is given.
func availability(word []byte) (up, known bool) {
	switch string(word) {
	case "up":
		return true, true
	case "down", "drain", "inactive", "inact":
		return false, true
	}
	return false, false
}

func (r *partitions) end(b *aggregator.Batch) {
	for name, row := range r.rows {
		if !row.next() {
			delete(r.rows, name)
			continue
		}
		up := 0.0
		if row.up {
			up = 1
		}
		b.Add(partitionUp, up, name)
	}
}
