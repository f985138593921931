package slurm

import (
	"bytes"
	"errors"
	"fmt"
)

// maxTasks is more than any array has: Slurm allows 4,000,001 of them.
const maxTasks = 1 << 32

var errTasks = errors.New(`want a list of task numbers, as in "1-100:2,7%5"`)

// countTasks returns how many tasks of a job array a line stands for, without listing them: ranges, steps, and behind a
// percent sign how many may run at once, which does not matter here. Slurm merges overlapping ranges.
//
//	N/A   7   1-100   1-1000:3   8,12,16,100-700%2   0-19%5
func countTasks(s []byte) (int64, error) {
	if len(s) == 0 || string(s) == "N/A" || string(s) == "(null)" {
		return 1, nil
	}
	list := s
	if i := bytes.IndexByte(s, '%'); i >= 0 {
		if _, ok := parseTask(s[i+1:]); !ok {
			return 0, fmt.Errorf("tasks %q: %w", clip(s), errTasks)
		}
		list = s[:i]
	}
	total := int64(0)
	for more := true; more; {
		var part []byte
		part, list, more = bytes.Cut(list, comma)
		n, ok := countRange(part)
		if total += n; !ok || total > maxTasks {
			return 0, fmt.Errorf("tasks %q: %w", clip(s), errTasks)
		}
	}
	return total, nil
}

// countRange counts a number, a range, or a range with a step.
func countRange(s []byte) (int64, bool) {
	span, every, stepped := bytes.Cut(s, []byte(":"))
	step := int64(1)
	if stepped {
		var ok bool
		if step, ok = parseTask(every); !ok || step == 0 {
			return 0, false
		}
	}
	from, to, isRange := bytes.Cut(span, []byte("-"))
	first, ok := parseTask(from)
	if !ok || !isRange {
		return 1, ok && !stepped
	}
	last, ok := parseTask(to)
	if !ok || last < first {
		return 0, false
	}
	return (last-first)/step + 1, true
}

// parseTask reads a task's number.
func parseTask(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > 10 {
		return 0, false
	}
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n < maxTasks
}
