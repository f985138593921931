package slurm

import (
	"bytes"
	"errors"
)

var errNumber = errors.New("want a number of at most 18 digits")

// number reads an ID or a time. A time before 1970, as of the year 1, is unknown.
func (p *queueParser) number(field int) int64 {
	if n, ok := p.digits(); ok {
		return n
	}
	if p.is(notApplicable) {
		return unknown
	}
	s := p.text()
	if !isNone(s) && (len(s) < 2 || len(s) > 19 || s[0] != '-' || !allDigits(s[1:])) {
		p.fail(field, s, errNumber)
	}
	return unknown
}

func (p *queueParser) tasks() int64 {
	if p.is(notApplicable) {
		return 1
	}
	s := p.text()
	n, err := countTasks(s)
	if err != nil {
		p.fail(fieldTasks, s, err)
		return 1
	}
	return n
}

// quantity reads a number that squeue may write as "2K" or, of a range of nodes, as "4-8": then the least is asked for.
func (p *queueParser) quantity(field int) int64 {
	if n, ok := p.digits(); ok {
		return n
	}
	s := p.text()
	if isNone(s) {
		return unknown
	}
	least, _, _ := bytes.Cut(s, []byte("-"))
	n, err := parseQuantity(least, 1)
	if err != nil {
		p.fail(field, s, err)
		return unknown
	}
	return n
}

// resources reads tres-alloc.
func (p *queueParser) resources(j *Job) {
	s := p.text()
	t, ok := p.tres[string(s)]
	if !ok {
		t = p.learn(s)
	}
	j.Memory, j.GPUs = t.memory, t.gpus
	if j.CPUs == unknown {
		j.CPUs = t.cpus
	}
	if j.Nodes == unknown {
		j.Nodes = t.nodes
	}
}

func (p *queueParser) learn(s []byte) tres {
	t, err := parseTRES(s)
	if err != nil {
		p.fail(fieldTRES, s, err)
		return t // read again, complained of again
	}
	if len(s) > maxName {
		return t
	}
	if p.tres == nil || len(p.tres) >= maxTRES {
		p.tres = make(map[string]tres)
	}
	p.tres[string(s)] = t
	return t
}

var errLimit = errors.New(`want a duration, as in "1-12:30:00" or "30:00", or "UNLIMITED"`)

// limit reads a time limit.
func (p *queueParser) limit() int64 {
	s := p.text()
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
	p.fail(fieldLimit, s, errLimit)
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
	if p.is("0:0\x1f") || p.is("0\x1f") {
		return 0, 0
	}
	s := p.text()
	if isNone(s) {
		return 0, 0
	}
	before, after, apart := bytes.Cut(s, []byte(":"))
	first, ok := parseTask(before)
	if !apart {
		if !ok || first > 0xffff {
			p.fail(fieldExit, s, errExit)
			return 0, 0
		}
		return int(first >> 8), int(first & 0x7f)
	}
	second, ok2 := parseTask(after)
	if !ok || !ok2 || first > 0xffff || second > 0xff {
		p.fail(fieldExit, s, errExit)
		return 0, 0
	}
	return int(first), int(second)
}
