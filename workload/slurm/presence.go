package slurm

// lingerTicks is how many ticks a series that has vanished is still said to be 0, so that a graph shows it gone.
const lingerTicks = 6

// A presence tells how long a series goes on that the last call did not have.
type presence struct {
	seen bool  // by the call in work
	left uint8 // ticks that it is still said, once it is gone
}

// next tells whether the series is said at the end of a call that succeeded. One that no such call has had is not.
func (p *presence) next() bool {
	switch {
	case p.seen:
		p.left = lingerTicks
	case p.left == 0:
		return false
	default:
		p.left--
	}
	return true
}
