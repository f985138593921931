package slurm

import "bytes"

// A base is what a node is, whatever else is said of it.
type base uint8

const (
	baseUnknown base = iota // also any word that this version of the program does not know
	baseIdle
	baseMixed
	baseAllocated
	baseDown
	baseError
	baseFuture
	baseCount int = iota
)

var baseNames = [baseCount]string{"unknown", "idle", "mixed", "allocated", "down", "error", "future"}

// A flagSet is what is said of a node beside its base, a bit for each flag.
type flagSet uint32

const (
	flagDrain flagSet = 1 << iota
	flagFail
	flagNotResponding
	flagMaintenance
	flagReserved
	flagPlanned
	flagCompleting
	flagInvalidReg
	flagBlocked
	flagCloud
	flagPoweredDown
	flagPowerDown
	flagPowerUp
	flagPoweringDown
	flagPoweringUp
	flagRebootRequested
	flagRebootIssued
	flagRebootCanceled
	flagResume
	flagUndrain
	flagDynamicNorm
	flagDynamicFuture
	flagExternal
	flagPerfCounters
	flagOther // a word that this version of the program does not know
	flagEnd
)

const flagCount = 25

var flagNames = [flagCount]string{"drain", "fail", "not_responding", "maintenance", "reserved", "planned", "completing",
	"invalid_reg", "blocked", "cloud", "powered_down", "power_down", "power_up", "powering_down", "powering_up",
	"reboot_requested", "reboot_issued", "reboot_canceled", "resume", "undrain", "dynamic_norm", "dynamic_future",
	"external", "perfctrs", "other"}

var baseWords = map[string]base{
	"UNKNOWN": baseUnknown, "UNK": baseUnknown,
	"IDLE":  baseIdle,
	"MIXED": baseMixed, "MIX": baseMixed,
	"ALLOCATED": baseAllocated, "ALLOC": baseAllocated,
	"DOWN":  baseDown,
	"ERROR": baseError, "ERR": baseError,
	"FUTURE": baseFuture, "FUTR": baseFuture,
}

// flagWords are the flags as the versions from 20.11 to 26.05 spell them. Up to 20.11 some take the place of the base.
var flagWords = map[string]flagSet{
	"DRAIN": flagDrain, "DRAINED": flagDrain, "DRAINING": flagDrain, "DRNG": flagDrain,
	"FAIL": flagFail, "FAILING": flagFail, "FAILG": flagFail,
	"NOT_RESPONDING": flagNotResponding, "NO_RESPOND": flagNotResponding,
	"MAINTENANCE": flagMaintenance, "MAINT": flagMaintenance,
	"RESERVED": flagReserved, "RESV": flagReserved,
	"PLANNED": flagPlanned, "PLND": flagPlanned,
	"COMPLETING": flagCompleting, "COMP": flagCompleting,
	"INVALID_REG": flagInvalidReg, "INVAL": flagInvalidReg,
	"BLOCKED": flagBlocked,
	"CLOUD":   flagCloud,
	"POWER":   flagPoweredDown, "POWERED_DOWN": flagPoweredDown,
	"POWER_DOWN": flagPowerDown, "POWER_UP": flagPowerUp,
	"POWERING_DOWN": flagPoweringDown, "POWERING_UP": flagPoweringUp,
	"REBOOT": flagRebootRequested, "REBOOT_REQUESTED": flagRebootRequested, "REBOOT_ISSUED": flagRebootIssued,
	"REBOOT_CANCELED": flagRebootCanceled, "REBOOT_CANCEL": flagRebootCanceled,
	"RESUME": flagResume, "UNDRAIN": flagUndrain,
	"DYNAMIC_NORM": flagDynamicNorm, "DYNAMIC_FUTURE": flagDynamicFuture, "EXTERNAL": flagExternal,
	"PERFCTRS": flagPerfCounters, "NPC": flagPerfCounters, "NET": flagPerfCounters,
}

// flagSymbol is the flag of a symbol at a word's end, 0 where the byte is none.
func flagSymbol(c byte) flagSet {
	switch c {
	case '*':
		return flagNotResponding
	case '~':
		return flagPoweredDown
	case '#':
		return flagPoweringUp
	case '%':
		return flagPoweringDown
	case '$':
		return flagMaintenance
	case '@':
		return flagRebootRequested
	case '^':
		return flagRebootIssued
	case '!':
		return flagPowerDown
	case '-':
		return flagPlanned
	}
	return 0
}

// A nodeState is a node's state as its words say it.
type nodeState struct {
	base  base
	flags flagSet
	bare  bool // flags only, as in 20.11's "MAINT": what the base is, the CPUs say
}

// parseState reads a node's state: a base and flags, joined by "+", with flags as symbols behind a word. A word that
// nobody knows goes to strange, and leaves the others as they are. A plus at the end says that jobs are completing.
//
//	IDLE   MIXED+DRAIN   DOWN*   ALLOCATED@   MIXED#+CLOUD   MAINT   IDLE+MAINTENANCE+RESERVED+PLANNED
func parseState(s []byte, strange func(word []byte)) nodeState {
	var st nodeState
	based := false
	for first := true; len(s) > 0 || first; first = false {
		word, rest, joined := bytes.Cut(s, []byte("+"))
		if joined && len(rest) == 0 {
			st.flags |= flagCompleting
		}
		s = rest
		for len(word) > 0 && flagSymbol(word[len(word)-1]) != 0 {
			st.flags |= flagSymbol(word[len(word)-1])
			word = word[:len(word)-1]
		}
		if len(word) == 0 {
			continue
		}
		if b, ok := baseWords[string(word)]; ok && !based {
			st.base, based = b, true
			continue
		}
		if f := flagWords[string(word)]; f != 0 {
			st.flags |= f
			continue
		}
		strange(word)
		if first {
			based = true // it stands where the base does
		} else {
			st.flags |= flagOther
		}
	}
	st.bare = !based && st.flags != 0
	return st
}

// settle returns the state of a node with these CPUs allocated of all, either of them possibly unknown.
func (st nodeState) settle(alloc, all int64) nodeState {
	if !st.bare || alloc == unknown || all == unknown {
		return st
	}
	switch {
	case alloc == 0:
		st.base = baseIdle
	case alloc < all:
		st.base = baseMixed
	default:
		st.base = baseAllocated
	}
	return st
}

// draining tells whether the node takes no new work but still has some; drained, whether it has none left. It is what
// sinfo's states of these names mean, a node that is down included.
func (st nodeState) draining() bool {
	return st.flags&flagDrain != 0 && (st.base == baseMixed || st.base == baseAllocated || st.base == baseError || st.flags&flagCompleting != 0)
}

func (st nodeState) drained() bool { return st.flags&flagDrain != 0 && !st.draining() }

// available tells whether slurmctld may start jobs on the node, now or once what is on it has ended. A node that powers
// up does not respond yet, and is available all the same.
func (st nodeState) available() bool {
	bar := flagDrain | flagFail | flagInvalidReg | flagBlocked
	if st.flags&flagPoweringUp == 0 {
		bar |= flagNotResponding
	}
	return (st.base == baseIdle || st.base == baseMixed || st.base == baseAllocated) && st.flags&bar == 0
}

// out tells whether what is idle on the node is out of use: the rule by which sinfo counts a CPU as "other".
func (st nodeState) out() bool {
	return st.flags&flagDrain != 0 || st.base == baseDown || st.base == baseFuture
}

// silent tells whether the node does not report now: its load and its free memory are of another time, or were never
// known, which versions from 24.11 on show as a load of 0.
func (st nodeState) silent() bool {
	return st.flags&(flagNotResponding|flagPoweredDown|flagPoweringUp|flagPoweringDown) != 0 || st.base == baseFuture
}

// Codes of a node's state for a series of its own, from good to bad.
const (
	codeUnknown = iota
	codeIdle
	codeMixed
	codeAllocated
	codeDraining
	codeDrained
	codeFailing
	codeDown
	codeError
	codeFuture
)

const codesHelp = "0 unknown or gone, 1 idle, 2 mixed, 3 allocated, 4 draining, 5 drained, 6 failing, 7 down, 8 error, 9 future"

// code is the one of a node's states that matters most.
func (st nodeState) code() int {
	switch {
	case st.base == baseDown:
		return codeDown
	case st.base == baseError:
		return codeError
	case st.base == baseFuture:
		return codeFuture
	case st.flags&flagFail != 0:
		return codeFailing
	case st.drained():
		return codeDrained
	case st.draining():
		return codeDraining
	case st.base == baseAllocated:
		return codeAllocated
	case st.base == baseMixed:
		return codeMixed
	case st.base == baseIdle:
		return codeIdle
	}
	return codeUnknown
}
