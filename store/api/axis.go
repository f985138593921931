package api

import (
	"math"
	"strconv"
	"time"
)

// A yAxis is a scale of values.
type yAxis struct {
	used      bool
	low, high float64
	step      float64
}

// scale finds the axes' ranges: round numbers that hold all values, and zero where something is filled.
func (p *picture) scale(height int) {
	for side := range p.axis {
		a := &p.axis[side]
		low, high := math.Inf(1), math.Inf(-1)
		for i := range p.lines {
			l := &p.lines[i]
			if l.second != (side == 1) || l.infinite {
				continue
			}
			a.used = true
			for _, v := range l.Values {
				if known(v) && !math.IsInf(v, 0) {
					low, high = min(low, v), max(high, v)
				}
			}
			if l.filled {
				low, high = min(low, 0), max(high, 0)
			}
		}
		if low > high {
			low, high = 0, 1
		}
		if low > 0 && low < 0.5*high {
			low = 0
		}
		a.fit(low, high, max(2, height/45))
		if side == 0 && known(p.yMin) {
			a.low = p.yMin
		}
		if side == 0 && known(p.yMax) {
			a.high = p.yMax
		}
		if a.high <= a.low {
			a.high = a.low + 1
		}
		if (a.high-a.low)/a.step > 50 {
			a.step = (a.high - a.low) / 5
		}
	}
}

// fit chooses a step of 1, 2 or 5 times a power of ten.
func (a *yAxis) fit(low, high float64, ticks int) {
	if high-low < math.Abs(high)*1e-12 || high == low {
		pad := max(math.Abs(high)*0.1, 1)
		low, high = low-pad, high+pad
	}
	rough := (high - low) / float64(ticks)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	a.step = 10 * power
	for _, n := range []float64{1, 2, 2.5, 5} {
		if n*power >= rough {
			a.step = n * power
			break
		}
	}
	a.low, a.high = math.Floor(low/a.step)*a.step, math.Ceil(high/a.step)*a.step
}

func (a *yAxis) y(p *picture, v float64) int {
	part := (v - a.low) / (a.high - a.low)
	y := float64(p.box.bottom) - part*float64(p.box.bottom-p.box.top)
	return int(math.Round(min(max(y, float64(p.box.top)), float64(p.box.bottom))))
}

// ticks calls f with each value that is labelled.
func (a *yAxis) ticks(f func(v float64, label string)) {
	for i := math.Ceil(a.low/a.step - 1e-9); i*a.step <= a.high+a.step*1e-9; i++ {
		f(i*a.step, a.label(i*a.step))
	}
}

// label spells a value with a prefix: 1.5k, 20M, 3G.
func (a *yAxis) label(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if max(math.Abs(a.high), math.Abs(a.low)) >= u.size && v != 0 {
			return strconv.FormatFloat(v/u.size, 'g', 4, 64) + u.name
		}
	}
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// labels returns how wide the widest label is.
func (a *yAxis) labels(p *picture) int {
	widest := 0
	a.ticks(func(_ float64, label string) { widest = max(widest, p.setText(label, p.fontSize, p.fore)) })
	return widest
}

// paintAxes draws the grid, the labels, and the legend.
func (p *picture) paintAxes() {
	half := p.ascent(p.fontSize) / 2
	p.axis[0].ticks(func(v float64, label string) {
		y := p.axis[0].y(p, v)
		if p.grid {
			p.straight(p.box.left, y, p.box.right, y, p.faint(32), 1)
		}
		if p.axes {
			p.text(label, p.box.left-p.gap(), y+half, p.fontSize, 1, p.faint(200))
		}
	})
	if p.axes && p.axis[1].used {
		p.axis[1].ticks(func(v float64, label string) {
			p.text(label, p.box.right+p.gap(), p.axis[1].y(p, v)+half, p.fontSize, 0, p.faint(200))
		})
	}
	p.timeTicks(func(at int64, label string) {
		x := p.x(at)
		if p.grid {
			p.straight(x, p.box.top, x, p.box.bottom, p.faint(32), 1)
		}
		if p.axes {
			w := p.setText(label, p.fontSize, p.fore)
			x = min(max(x, w/2+1), p.width-w/2-1)
			p.text(label, x, p.box.bottom+p.gap()+p.ascent(p.fontSize), p.fontSize, 0.5, p.faint(200))
		}
	})
	if p.legend {
		p.paintLegend(true)
	}
}

// timeSteps are the distances of time labels, with how they are spelled.
var timeSteps = []struct {
	seconds int64
	layout  string
}{
	{1, "15:04:05"}, {5, "15:04:05"}, {10, "15:04:05"}, {30, "15:04:05"}, {60, "15:04"}, {300, "15:04"}, {600, "15:04"}, {900, "15:04"},
	{1800, "15:04"}, {3600, "15:04"}, {2 * 3600, "15:04"}, {3 * 3600, "15:04"}, {6 * 3600, "Mon 15:04"}, {12 * 3600, "Mon 15:04"},
	{86400, "2 Jan"}, {2 * 86400, "2 Jan"}, {7 * 86400, "2 Jan"}, {14 * 86400, "2 Jan"}, {30 * 86400, "2 Jan"}, {91 * 86400, "Jan 2006"}, {365 * 86400, "2006"},
}

// timeTicks calls f with round times of the picture's zone, as many as have room.
func (p *picture) timeTicks(f func(at int64, label string)) {
	step := timeSteps[len(timeSteps)-1]
	for _, s := range timeSteps {
		room := float64(p.setText(s.layout, p.fontSize, p.fore)) * 1.7
		if float64(s.seconds)/float64(max(1, p.until-p.from))*float64(p.box.right-p.box.left) >= room {
			step = s
			break
		}
	}
	_, offset := time.Unix(p.from, 0).In(p.zone).Zone()
	first := (p.from+int64(offset)+step.seconds-1)/step.seconds*step.seconds - int64(offset)
	for at := first; at <= p.until; at += step.seconds {
		f(at, time.Unix(at, 0).In(p.zone).Format(step.layout))
	}
}
