package aggregator

import (
	"math"
	"time"
)

// rates remembers the last total of each counter of one aggregator and turns the next into growth per second.
type rates struct {
	last map[string]*total // by the series' identity
	run  uint64            // the number of the run, to find series that vanished
	key  []byte
}

type total struct {
	value float64
	at    time.Time // on the monotonic clock: a step of the wall clock changes no rate
	run   uint64
}

// apply sets the Rate of the counters among ms, which were read at at. A total below the last one was reset at its
// source and has grown from zero since: the rate is never negative. A series that this run lacks is forgotten.
func (r *rates) apply(ms []Metric, at time.Time) {
	r.run++
	for i := range ms {
		m := &ms[i]
		if m.Desc.Kind != Counter {
			continue
		}
		r.identify(m)
		last, known := r.last[string(r.key)]
		if !known {
			if r.last == nil {
				r.last = map[string]*total{}
			}
			r.last[string(r.key)] = &total{m.Value, at, r.run}
			continue
		}
		if seconds := at.Sub(last.at).Seconds(); seconds > 0 {
			grown := m.Value - last.value
			if grown < 0 {
				grown = m.Value
			}
			m.Rate = grown / seconds
			if math.IsInf(m.Rate, 0) || m.Rate < 0 {
				m.Rate = math.NaN()
			}
		}
		*last = total{m.Value, at, r.run}
	}
	for key, t := range r.last {
		if t.run != r.run {
			delete(r.last, key)
		}
	}
}

func (r *rates) identify(m *Metric) {
	r.key = append(r.key[:0], m.Desc.Template...)
	for _, l := range m.Labels {
		r.key = append(r.key, 0)
		r.key = append(r.key, l...)
	}
}
