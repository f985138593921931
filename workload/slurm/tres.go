package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// A tres holds what a job has, or asks for while it is pending, of the resources that count here.
type tres struct {
	cpus, nodes, gpus, memory int64 // memory in bytes; unknown where the list has it not, gpus 0
}

// parseTRES reads a list of trackable resources. What it does not know, and billing, is left out. An entry that cannot
// be read is unknown, the first of them makes the error, and the others stand. The GPUs without a type are the sum of
// those with one, or all that there is where the cluster counts no types.
//
//	cpu=25,mem=62.50G,node=1,billing=25,gres/gpu=4,gres/gpu:a100=4,license/matlab=2
func parseTRES(list []byte) (tres, error) {
	t := tres{cpus: unknown, nodes: unknown, memory: unknown}
	if isNone(list) {
		return t, nil
	}
	var untypedGPUs, typedGPUs int64
	failed := eachTRES(list, func(kind []byte, n int64) {
		if len(kind) == 0 {
			untypedGPUs += n
		} else {
			typedGPUs += n
		}
	})
	t.gpus = max(untypedGPUs, typedGPUs)
	for more := true; more; {
		var entry []byte
		entry, list, more = bytes.Cut(list, comma)
		name, value, _ := bytes.Cut(entry, equals)
		var to *int64
		unit := 1.0
		switch string(name) {
		case "cpu":
			to = &t.cpus
		case "node":
			to = &t.nodes
		case "mem":
			to, unit = &t.memory, 1<<20
		default:
			continue
		}
		n, err := parseQuantity(value, unit)
		if err != nil {
			failed = fmt.Errorf("tres %q: %w", clip(entry), err)
			continue
		}
		*to = n
	}
	return t, failed
}

// maxQuantity keeps products with tasks, and sums, exact.
const maxQuantity = 1 << 62

var errQuantity = errors.New(`want a number below 2^62, as in "64000M" or "62.50G"`)

// parseQuantity reads a number, possibly with a fraction, and the letter of a unit: K is 1,024 and each next one 1,024
// times more. A number without a letter counts in base: 1, or 1<<20 for memory, of which Slurm counts mebibytes.
//
//	16   2K   100M   62.50G   1.50T
func parseQuantity(s []byte, base float64) (int64, error) {
	at, whole := 0, 0.0
	for at < len(s) && isDigit(s[at]) {
		whole = whole*10 + float64(s[at]-'0')
		at++
	}
	if at == 0 {
		return 0, errQuantity
	}
	if at < len(s) && s[at] == '.' {
		first, place := at+1, 0.1
		for at = first; at < len(s) && isDigit(s[at]); at++ {
			whole += float64(s[at]-'0') * place
			place /= 10
		}
		if at == first {
			return 0, errQuantity
		}
	}
	unit := base
	if at < len(s) {
		power := bytes.IndexByte([]byte("KMGTPE"), s[at])
		if power < 0 || at+1 != len(s) {
			return 0, errQuantity
		}
		unit = math.Ldexp(1, 10*(power+1))
	}
	if n := math.Round(whole * unit); n < maxQuantity {
		return int64(n), nil
	}
	return 0, errQuantity
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNone tells whether a field is empty, in one of Slurm's ways to say so.
func isNone(s []byte) bool {
	switch string(s) {
	case "", "N/A", "(null)", "NONE", "None", "Unknown":
		return true
	}
	return false
}
