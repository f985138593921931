package terminal

import (
	"fmt"
	"strings"
)

// A Part is a part of a bar, drawn with a character.
type Part struct {
	Size float64
	Rune rune
}

// Bar draws parts in n columns, each as long as its share of all: their ends are rounded to the nearest column. A part
// that is not nothing has a column as long as there is one.
func Bar(n int, parts ...Part) string {
	widths := Shares(n, parts)
	var b strings.Builder
	for i, p := range parts {
		b.WriteString(strings.Repeat(string(p.Rune), widths[i]))
	}
	return b.String()
}

// Shares returns how many of n columns each part gets.
func Shares(n int, parts []Part) []int {
	widths := make([]int, len(parts))
	total := 0.0
	for _, p := range parts {
		total += max(0, p.Size)
	}
	if total <= 0 || n <= 0 {
		return widths
	}
	sum, last := 0.0, 0
	for i, p := range parts {
		sum += max(0, p.Size)
		end := int(sum/total*float64(n) + 0.5)
		widths[i], last = end-last, end
	}
	for i, p := range parts {
		if p.Size <= 0 || widths[i] > 0 {
			continue
		}
		widest := 0
		for j := range widths {
			if widths[j] > widths[widest] {
				widest = j
			}
		}
		if widths[widest] > 1 {
			widths[widest]--
			widths[i] = 1
		}
	}
	return widths
}

// Bytes spells a size in at most six columns: "17 B", "1.4 kB", "512 MB".
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, units[i])
	}
	return fmt.Sprintf("%.0f %s", v, units[i])
}
