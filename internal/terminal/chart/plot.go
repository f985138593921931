package chart

import (
	"math"
	"strings"

	"github.com/clusterload/clusterload/internal/terminal"
)

// A plot is the area within the axes. Each character has two by four dots of braille, or is one dot where series are
// told apart by letters.
type plot struct {
	columns, rows int
	byLetter      bool
	dots          []byte // of each character, as braille numbers them
	owner         []int  // the series that drew there last
}

func newPlot(columns, rows int, byLetter bool) *plot {
	columns = max(1, columns)
	return &plot{columns: columns, rows: rows, byLetter: byLetter, dots: make([]byte, columns*rows), owner: make([]int, columns*rows)}
}

// size returns how many dots there are side by side, and one above the other.
func (p *plot) size() (width, height int) {
	if p.byLetter {
		return p.columns, p.rows
	}
	return 2 * p.columns, 4 * p.rows
}

// series draws lines from point to point. A point without a value breaks the line.
func (p *plot) series(i int, s Series, o Options, a *axis) {
	width, height := p.size()
	var lastX, lastY int
	joined := false
	for _, point := range s.Points {
		if !isFinite(point.Value) || point.Time < o.From || point.Time > o.Until {
			joined = false
			continue
		}
		x := int(math.Round(float64(point.Time-o.From) / float64(o.Until-o.From) * float64(width-1)))
		y := a.place(point.Value, height)
		if joined {
			p.draw(i, lastX, lastY, x, y)
		} else {
			p.dot(i, x, y)
		}
		lastX, lastY, joined = x, y, true
	}
}

// draw draws a line, as Bresenham does.
func (p *plot) draw(i, x0, y0, x1, y1 int) {
	dx, dy := abs(x1-x0), -abs(y1-y0)
	stepX, stepY := sign(x1-x0), sign(y1-y0)
	for e := dx + dy; ; {
		p.dot(i, x0, y0)
		if x0 == x1 && y0 == y1 {
			return
		}
		twice := 2 * e
		if twice >= dy {
			e += dy
			x0 += stepX
		}
		if twice <= dx {
			e += dx
			y0 += stepY
		}
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// brailleDots are the bits of a character's dots, by row and column.
var brailleDots = [4][2]byte{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

func (p *plot) dot(i, x, y int) {
	bit := byte(1)
	column, row := x, y
	if !p.byLetter {
		column, row = x/2, y/4
		bit = brailleDots[y%4][x%2]
	}
	at := row*p.columns + column
	p.dots[at] |= bit
	p.owner[at] = i
}

// line returns a row of characters.
func (p *plot) line(row int, paint terminal.Painter) string {
	var b strings.Builder
	for column := range p.columns {
		at := row*p.columns + column
		switch {
		case p.dots[at] == 0:
			b.WriteByte(' ')
		case p.byLetter:
			b.WriteString(letter(p.owner[at]))
		default:
			b.WriteString(paint.Paint(colours[p.owner[at]%len(colours)], string(rune(0x2800+int(p.dots[at])))))
		}
	}
	return b.String()
}
