package aggregator

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkBatchAdd(b *testing.B) {
	d := &Desc{Template: "user.{user}.jobs.{state}"}
	for _, n := range []int{1, 1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var batch Batch
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset(time.Time{})
				for i := range n {
					batch.Add(d, float64(i), "alice", "running")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/metric")
		})
	}
}
