package store

// stepOf returns the step of a series in seconds: the distance of neighbours that is met most, as far as one is met by half
// of them; without such a one the shortest. Times are in milliseconds and ascend. It returns 0 for fewer than two times.
func stepOf(times []int64) int64 {
	var candidate, votes, shortest int64
	distances := 0
	eachDistance(times, func(d int64) {
		distances++
		if shortest == 0 || d < shortest {
			shortest = d
		}
		switch {
		case votes == 0:
			candidate, votes = d, 1
		case d == candidate:
			votes++
		default:
			votes--
		}
	})
	if distances == 0 {
		return 0
	}
	met := 0
	eachDistance(times, func(d int64) {
		if d == candidate {
			met++
		}
	})
	if 2*met >= distances {
		return candidate
	}
	return shortest
}

// eachDistance calls f with the distances in seconds of neighbours that are not within one second.
func eachDistance(times []int64, f func(seconds int64)) {
	for i := 1; i < len(times); i++ {
		if d := times[i]/1000 - times[i-1]/1000; d > 0 {
			f(d)
		}
	}
}

// ladder holds the steps, in seconds, that long ranges are read with.
var ladder = []int64{60, 300, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600}

// coarser returns the step with which a range of so many seconds takes at most slots slots: the step itself, or a longer
// one of the ladder that is a multiple of it.
func coarser(step, seconds int64, slots int) int64 {
	if seconds/step <= int64(slots) {
		return step
	}
	least := step * (seconds/step/int64(slots) + 1)
	for _, s := range ladder {
		if s >= least && s%step == 0 && s < 10*least {
			return s
		}
	}
	return least
}
