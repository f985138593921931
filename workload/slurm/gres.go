package slurm

import (
	"bytes"
	"errors"
	"fmt"
)

// maxCards is more GPUs than any one entry can mean: a count above it is a damaged one.
const maxCards = 1 << 20

var errCards = errors.New("want a count of at most 1048576")

// eachGRES calls add for each kind of GPU in a list of a node's generic resources, with its type, empty where it has
// none, and how many there are. Other resources are left out. An entry whose count is unreadable is left out too, and
// the first such makes the error; the others are added all the same.
//
//	gpu:2
//	gpu:a100:2(S:0-1),gpu:v100:1(S:1),shard:a100:8(0/2,0/2),fpga:3
//	gpu:a100:4(IDX:0,3),gpu:v100:0(IDX:N/A)
//	(null)
func eachGRES(list []byte, add func(kind []byte, n int64)) error {
	var failed error
	for len(list) > 0 {
		var entry []byte
		entry, list = cutEntry(list)
		entry, ok := cutGPU(trimGRES(entry), ':')
		if !ok {
			continue
		}
		kind, n, ok := splitCards(entry)
		if !ok {
			failed = fmt.Errorf("gres %q: %w", entry, errCards)
			continue
		}
		add(kind, n)
	}
	return failed
}

// eachTRES calls add for each kind of GPU in a list of trackable resources. The entry without a type is the sum of those
// with one: the same cards, counted twice by whoever adds them up. As eachGRES does, it goes on after what is unreadable.
//
//	cpu=25,mem=2500M,gres/gpu=4,gres/gpu:a100=4
func eachTRES(list []byte, add func(kind []byte, n int64)) error {
	var failed error
	for len(list) > 0 {
		var entry []byte
		entry, list, _ = bytes.Cut(list, comma)
		name, count, ok := bytes.Cut(entry, equals)
		if !ok || !bytes.HasPrefix(name, gresSlash) {
			continue
		}
		kind, ok := cutGPU(name[len(gresSlash):], ':')
		if !ok {
			continue
		}
		n, ok := parseCards(count)
		if !ok {
			failed = fmt.Errorf("tres %q: %w", entry, errCards)
			continue
		}
		add(kind, n)
	}
	return failed
}

var (
	comma     = []byte(",")
	equals    = []byte("=")
	gresSlash = []byte("gres/")
	gresColon = []byte("gres:")
	gpuName   = []byte("gpu")
	noConsume = []byte("no_consume")
)

// cutEntry returns the first entry of a list and what follows its comma. Commas in parentheses belong to the entry.
func cutEntry(list []byte) (entry, rest []byte) {
	depth := 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			return list[:i], list[i+1:]
		}
	}
	return list, nil
}

// trimGRES takes the prefix that some versions write, and the places in parentheses, from an entry.
func trimGRES(entry []byte) []byte {
	if bytes.HasPrefix(entry, gresSlash) || bytes.HasPrefix(entry, gresColon) {
		entry = entry[len(gresSlash):]
	}
	if i := bytes.IndexByte(entry, '('); i >= 0 {
		entry = entry[:i]
	}
	return entry
}

// cutGPU returns what follows "gpu" and the separator, empty where nothing does; not ok where it is another resource.
func cutGPU(name []byte, separator byte) (rest []byte, ok bool) {
	if !bytes.HasPrefix(name, gpuName) {
		return nil, false
	}
	rest = name[len(gpuName):]
	if len(rest) == 0 {
		return rest, true
	}
	return rest[1:], rest[0] == separator
}

// splitCards splits what follows "gpu:" into the type and the count. Either may be missing: "2", "a100:2", "a100", "",
// and Slurm's word for a resource that is not used up may stand between them. No count is one card.
func splitCards(s []byte) (kind []byte, n int64, ok bool) {
	if len(s) == 0 {
		return nil, 1, true
	}
	count := s
	if i := bytes.LastIndexByte(s, ':'); i >= 0 {
		kind, count = s[:i], s[i+1:]
	}
	switch n, ok = parseCards(count); {
	case ok:
	case len(count) > 0 && !allDigits(bytes.TrimSuffix(count, []byte("K"))): // a type, and one card of it
		kind, n = s, 1
	default:
		return nil, 0, false
	}
	if before, cut := bytes.CutSuffix(kind, noConsume); cut && (len(before) == 0 || before[len(before)-1] == ':') {
		kind = bytes.TrimSuffix(before, []byte(":"))
	}
	return kind, n, true
}

func allDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// parseCards reads a count of digits, at most maxCards, with an optional K of 1,024.
func parseCards(s []byte) (n int64, ok bool) {
	unit := int64(1)
	if len(s) > 1 && s[len(s)-1] == 'K' {
		s, unit = s[:len(s)-1], 1024
	}
	if len(s) == 0 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > maxCards {
			return 0, false
		}
	}
	n *= unit
	return n, n <= maxCards
}
