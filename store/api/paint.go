package api

import (
	"math"

	"github.com/wcharczuk/go-chart/v2/drawing"
)

// paint paints from the back to the front.
func (p *picture) paint() {
	p.rectangle(0, 0, p.width, p.height, p.back)
	p.layOut()
	if p.grid || p.axes {
		p.paintAxes()
	}
	for i := range p.lines {
		if l := &p.lines[i]; l.filled && !l.hidden && !l.infinite {
			p.area(l)
		}
	}
	for i := range p.lines {
		switch l := &p.lines[i]; {
		case l.hidden:
		case l.infinite:
			p.verticals(l)
		default:
			p.stroke(l)
		}
	}
	p.frame()
	if p.title != "" {
		p.text(p.title, p.width/2, p.gap()+p.ascent(p.fontSize*1.3), p.fontSize*1.3, 0.5, p.fore)
	}
	if p.vtitle != "" {
		p.vertical(p.vtitle)
	}
	if len(p.lines) == 0 {
		p.text("No Data", (p.box.left+p.box.right)/2, (p.box.top+p.box.bottom)/2, p.fontSize*1.6, 0.5, p.faint(150))
	}
}

func (p *picture) gap() int { return int(p.fontSize * 0.8) }

// ascent is the height of a line of text in pixels.
func (p *picture) ascent(size float64) int { return int(math.Ceil(size * pictureDPI / 72 * 0.8)) }

// faint is the color of what is in front, less so.
func (p *picture) faint(alpha uint8) drawing.Color { return p.fore.WithAlpha(alpha) }

// layOut finds the plot's place, its scales, and the legend's rows.
func (p *picture) layOut() {
	gap, row := p.gap(), p.rowHeight()
	p.box.left, p.box.top, p.box.right, p.box.bottom = gap, gap, p.width-gap, p.height-gap
	if p.title != "" {
		p.box.top += p.ascent(p.fontSize*1.3) + gap
	}
	if p.vtitle != "" {
		p.box.left += p.ascent(p.fontSize) + gap
	}
	if p.legend && len(p.lines) > 0 {
		p.box.bottom -= p.paintLegend(false)*row + gap
	}
	if p.axes {
		p.box.bottom -= p.ascent(p.fontSize) + gap
	}
	p.scale(p.box.bottom - p.box.top)
	if p.axes {
		p.box.left += p.axis[0].labels(p) + gap
		if p.axis[1].used {
			p.box.right -= p.axis[1].labels(p) + gap
		}
	}
	p.box.right, p.box.bottom = max(p.box.right, p.box.left+2), max(p.box.bottom, p.box.top+2)
}

func (p *picture) rowHeight() int { return int(p.fontSize*pictureDPI/72*1.45) + 1 }

func (p *picture) rectangle(left, top, right, bottom int, c drawing.Color) {
	p.canvas.ResetStyle()
	p.canvas.SetFillColor(c)
	p.canvas.MoveTo(left, top)
	p.canvas.LineTo(right, top)
	p.canvas.LineTo(right, bottom)
	p.canvas.LineTo(left, bottom)
	p.canvas.Close()
	p.canvas.Fill()
}

func (p *picture) straight(x1, y1, x2, y2 int, c drawing.Color, width float64) {
	p.canvas.ResetStyle()
	p.canvas.SetStrokeColor(c)
	p.canvas.SetStrokeWidth(width)
	p.canvas.MoveTo(x1, y1)
	p.canvas.LineTo(x2, y2)
	p.canvas.Stroke()
}

// setText chooses a font's size and color, and returns how wide a text is.
func (p *picture) setText(s string, size float64, c drawing.Color) int {
	p.canvas.ResetStyle()
	p.canvas.SetFontSize(size)
	p.canvas.SetFontColor(c)
	return p.canvas.MeasureText(s).Width()
}

// text writes with its base line at y; at is which part of it lies left of x.
func (p *picture) text(s string, x, y int, size, at float64, c drawing.Color) {
	w := p.setText(s, size, c)
	p.canvas.Text(p.escape(s), x-int(float64(w)*at), y)
}

// vertical writes the title of the axis, upwards.
func (p *picture) vertical(s string) {
	w := p.setText(s, p.fontSize, p.fore)
	p.canvas.SetTextRotation(-math.Pi / 2)
	p.canvas.Text(p.escape(s), p.gap()+p.ascent(p.fontSize), (p.box.top+p.box.bottom+w)/2)
	p.canvas.ClearTextRotation()
}

func (p *picture) frame() {
	if p.axes {
		p.straight(p.box.left, p.box.bottom, p.box.right, p.box.bottom, p.faint(120), 1)
	}
}

// x is where a time lies.
func (p *picture) x(at int64) int {
	part := float64(at-p.from) / float64(max(1, p.until-p.from))
	return min(max(p.box.left+int(math.Round(part*float64(p.box.right-p.box.left))), p.box.left), p.box.right)
}

// y is where a value of a line lies.
func (p *picture) y(l *line, v float64) int {
	a := &p.axis[0]
	if l.second {
		a = &p.axis[1]
	}
	return a.y(p, v)
}

// runs calls f with each part of a line that has no gap: its first slot and the one after its last.
func (p *picture) runs(l *line, f func(begin, end int)) {
	begin := -1
	for i := 0; i <= len(l.Values); i++ {
		ok := i < len(l.Values) && known(l.Values[i]) && !math.IsInf(l.Values[i], 0)
		switch {
		case ok && begin < 0:
			begin = i
		case !ok && begin >= 0:
			f(begin, i)
			begin = -1
		}
	}
}

func (l *line) at(i int) int64 { return l.StartTime + int64(i)*l.StepTime }

// stroke draws the line of a series. A point that stands alone is a dot.
func (p *picture) stroke(l *line) {
	style := func() {
		p.canvas.ResetStyle()
		p.canvas.SetStrokeColor(l.color)
		p.canvas.SetStrokeWidth(l.width)
		if l.dashed > 0 {
			p.canvas.SetStrokeDashArray([]float64{l.dashed, l.dashed})
		}
	}
	if p.lineMode == "connected" {
		style()
		first := true
		p.runs(l, func(begin, end int) { first = p.path(l, begin, end, first) })
		if !first {
			p.canvas.Stroke()
		}
		return
	}
	p.runs(l, func(begin, end int) {
		if end-begin == 1 && p.lineMode != "staircase" {
			p.canvas.ResetStyle()
			p.canvas.SetFillColor(l.color)
			p.canvas.SetStrokeColor(l.color)
			p.canvas.Circle(max(1, l.width*0.8), p.x(l.at(begin)), p.y(l, l.Values[begin]))
			p.canvas.FillStroke()
			return
		}
		style()
		p.path(l, begin, end, true)
		p.canvas.Stroke()
	})
}

// path goes along the slots of a line, from where it is unless it is the first.
func (p *picture) path(l *line, begin, end int, first bool) bool {
	for i := begin; i < end; i++ {
		x, y := p.x(l.at(i)), p.y(l, l.Values[i])
		if first {
			p.canvas.MoveTo(x, y)
			first = false
		} else {
			p.canvas.LineTo(x, y)
		}
		if p.lineMode == "staircase" {
			p.canvas.LineTo(p.x(l.at(i+1)), y)
		}
	}
	return first
}

// area fills from a line down to what it stands on.
func (p *picture) area(l *line) {
	alpha := uint8(90)
	if l.base != nil || p.areaMode == "stacked" || l.Tags[drawStacked] != "" {
		alpha = 190
	}
	p.runs(l, func(begin, end int) {
		p.canvas.ResetStyle()
		p.canvas.SetFillColor(l.color.WithAlpha(uint8(int(alpha) * int(l.color.A) / 255)))
		p.path(l, begin, end, true)
		for i := end - 1; i >= begin; i-- {
			ground := 0.0
			if i < len(l.base) && known(l.base[i]) {
				ground = l.base[i]
			}
			y := p.y(l, ground)
			if p.lineMode == "staircase" {
				p.canvas.LineTo(p.x(l.at(i+1)), y)
			}
			p.canvas.LineTo(p.x(l.at(i)), y)
		}
		p.canvas.Close()
		p.canvas.Fill()
	})
}

// verticals draws a line from top to bottom wherever the series is above zero.
func (p *picture) verticals(l *line) {
	for i, v := range l.Values {
		if v > 0 {
			x := p.x(l.at(i))
			p.straight(x, p.box.top, x, p.box.bottom, l.color, l.width)
		}
	}
}

// paintLegend writes the names below the plot in columns, and returns how many rows that takes. More than fill half of the
// picture are left out, and counted.
func (p *picture) paintLegend(write bool) int {
	row, mark := p.rowHeight(), p.ascent(p.fontSize)
	widest := 0
	var shown []*line
	for i := range p.lines {
		l := &p.lines[i]
		if !l.hidden {
			shown = append(shown, l)
			widest = max(widest, p.setText(l.Name, p.fontSize, p.fore))
		}
	}
	columns := max(1, (p.width-2*p.gap())/(widest+mark*3+p.gap()))
	rows := (len(shown) + columns - 1) / columns
	most := max(1, p.height/2/row-2)
	if rows > most {
		rows, shown = most, shown[:min(len(shown), most*columns)]
	}
	if !write {
		return rows
	}
	top := p.height - p.gap() - rows*row
	for i, l := range shown {
		x := p.gap() + i%columns*((p.width-2*p.gap())/columns)
		y := top + i/columns*row + row - p.gap()/2
		p.rectangle(x, y-mark+1, x+mark, y+1, l.color)
		p.text(l.Name, x+mark*3/2, y, p.fontSize, 0, p.fore)
	}
	return rows
}
