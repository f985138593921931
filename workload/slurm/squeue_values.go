package slurm

import (
	"bytes"
	"errors"
)

var errLimit = errors.New(`want a duration, as in "1-12:30:00" or "30:00", or "UNLIMITED"`)

// limit reads a time limit.
func (p *queueParser) limit() int64 {
	s := p.fields[fieldLimit]
	if n, ok := parseDuration(s); ok {
		return n
	}
	switch {
	case string(s) == "UNLIMITED", string(s) == "INFINITE":
		return unlimited
	case string(s) == "Partition_Limit":
		return partitionLimit
	case isNone(s), string(s) == "NOT_SET", string(s) == "INVALID":
		return unknown
	}
	p.fail(fieldLimit, errLimit)
	return unknown
}

// parseDuration reads days, hours, minutes and seconds, of which the first ones may be missing, as seconds.
//
//	1-12:30:00   2:00:00   30:00   0:05   365-00:00:00
func parseDuration(s []byte) (seconds int64, ok bool) {
	var total, n int64
	digits, colons, days := 0, 0, false
	for _, c := range s {
		switch {
		case isDigit(c):
			n = n*10 + int64(c-'0')
			if digits++; digits > 10 {
				return 0, false
			}
			continue
		case digits == 0:
			return 0, false
		case c == '-' && !days && colons == 0:
			total, days = n*24, true // in hours, until the hours are added
		case c == ':' && colons < 2:
			total = (total + n) * 60
			colons++
		default:
			return 0, false
		}
		n, digits = 0, 0
	}
	if digits == 0 || colons == 0 || days && colons != 2 {
		return 0, false
	}
	return total + n, true
}

var errExit = errors.New(`want an exit code and a signal, as in "3:0", or a wait status`)

// exit reads how a job ended. Up to 22.05 squeue writes the wait status as a number, later the code and the signal.
//
//	0   768   15   3:0   0:15
func (p *queueParser) exit() (code, signal int) {
	s := p.fields[fieldExit]
	if len(s) == 1 && s[0] == '0' || len(s) == 3 && string(s) == "0:0" || isNone(s) {
		return 0, 0
	}
	before, after, apart := bytes.Cut(s, []byte(":"))
	first, ok := parseTask(before)
	if !apart {
		if !ok || first > 0xffff {
			p.fail(fieldExit, errExit)
			return 0, 0
		}
		return int(first >> 8), int(first & 0x7f)
	}
	second, ok2 := parseTask(after)
	if !ok || !ok2 || first > 0xffff || second > 0xff {
		p.fail(fieldExit, errExit)
		return 0, 0
	}
	return int(first), int(second)
}
