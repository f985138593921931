package slurm

import (
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlagNames(t *testing.T) {
	assert.Equal(t, flagCount, bits.TrailingZeros32(uint32(flagEnd)))
	seen := map[string]bool{}
	for _, name := range flagNames {
		assert.NotEmpty(t, name)
		assert.False(t, seen[name], "%s twice", name)
		seen[name] = true
	}
}

// parse reads a state and returns its words that nobody knows.
func parse(s string) (st nodeState, strange []string) {
	st = parseState([]byte(s), func(word []byte) { strange = append(strange, string(word)) })
	return st, strange
}

func TestParseState(t *testing.T) {
	tests := []struct {
		state   string
		base    base
		flags   flagSet
		bare    bool
		strange []string
	}{
		{state: "IDLE", base: baseIdle},
		{state: "MIXED", base: baseMixed},
		{state: "ALLOCATED", base: baseAllocated},
		{state: "DOWN", base: baseDown},
		{state: "ERROR", base: baseError},
		{state: "FUTURE", base: baseFuture},
		{state: "UNKNOWN", base: baseUnknown},
		{state: "UNKNOWN+NOT_RESPONDING", base: baseUnknown, flags: flagNotResponding},
		{state: "IDLE*", base: baseIdle, flags: flagNotResponding},
		{state: "IDLE~", base: baseIdle, flags: flagPoweredDown},
		{state: "MIXED#", base: baseMixed, flags: flagPoweringUp},
		{state: "IDLE%", base: baseIdle, flags: flagPoweringDown},
		{state: "ALLOCATED$", base: baseAllocated, flags: flagMaintenance},
		{state: "ALLOCATED@", base: baseAllocated, flags: flagRebootRequested},
		{state: "DOWN^", base: baseDown, flags: flagRebootIssued},
		{state: "IDLE!", base: baseIdle, flags: flagPowerDown},
		{state: "MIXED-", base: baseMixed, flags: flagPlanned},
		{state: "ALLOCATED+", base: baseAllocated, flags: flagCompleting},
		{state: "IDLE#*", base: baseIdle, flags: flagPoweringUp | flagNotResponding},
		{state: "DOWN*+DRAIN", base: baseDown, flags: flagNotResponding | flagDrain},
		{state: "MIXED#+CLOUD", base: baseMixed, flags: flagPoweringUp | flagCloud},
		{state: "IDLE~+CLOUD+POWER", base: baseIdle, flags: flagPoweredDown | flagCloud},
		{state: "IDLE+CLOUD+POWERED_DOWN", base: baseIdle, flags: flagPoweredDown | flagCloud},
		{state: "IDLE+DRAIN+COMPLETING", base: baseIdle, flags: flagDrain | flagCompleting},
		{state: "DOWN+DRAIN+INVALID_REG", base: baseDown, flags: flagDrain | flagInvalidReg},
		{state: "DOWN+NOT_RESPONDING+DRAIN", base: baseDown, flags: flagNotResponding | flagDrain},
		{state: "IDLE+MAINTENANCE+RESERVED+PLANNED", base: baseIdle, flags: flagMaintenance | flagReserved | flagPlanned},
		{state: "MIXED+DRAIN+REBOOT_REQUESTED+RESERVED", base: baseMixed, flags: flagDrain | flagRebootRequested | flagReserved},
		{state: "IDLE+REBOOT_ISSUED+POWER_UP+POWERING_DOWN", base: baseIdle, flags: flagRebootIssued | flagPowerUp | flagPoweringDown},
		{state: "IDLE+DYNAMIC_NORM+BLOCKED+EXTERNAL", base: baseIdle, flags: flagDynamicNorm | flagBlocked | flagExternal},
		{state: "MAINT", flags: flagMaintenance, bare: true},
		{state: "MAINT*", flags: flagMaintenance | flagNotResponding, bare: true},
		{state: "RESERVED", flags: flagReserved, bare: true},
		{state: "DRAINED$", flags: flagDrain | flagMaintenance, bare: true},
		{state: "CLOUD+MIXED", base: baseMixed, flags: flagCloud},
		{state: "IDLE+SHINY", base: baseIdle, flags: flagOther, strange: []string{"SHINY"}},
		{state: "IDLE+SHINY*+DRAIN", base: baseIdle, flags: flagOther | flagNotResponding | flagDrain, strange: []string{"SHINY"}},
		{state: "WORKING+DRAIN", base: baseUnknown, flags: flagDrain, strange: []string{"WORKING"}},
		{state: "WORKING", base: baseUnknown, strange: []string{"WORKING"}},
		{state: "IDLE+DOWN", base: baseIdle, flags: flagOther, strange: []string{"DOWN"}},
		{state: "*", flags: flagNotResponding, bare: true},
		{state: "idle", strange: []string{"idle"}},
		{state: ""},
	}
	for _, test := range tests {
		t.Run(test.state, func(t *testing.T) {
			got, strange := parse(test.state)
			assert.Equal(t, nodeState{test.base, test.flags, test.bare}, got)
			assert.Equal(t, test.strange, strange)
		})
	}
}

func TestSettle(t *testing.T) {
	tests := []struct {
		state      string
		alloc, all int64
		want       base
	}{
		{"MAINT", 0, 16, baseIdle},
		{"MAINT", 3, 16, baseMixed},
		{"DRAINING", 16, 16, baseAllocated},
		{"MAINT", unknown, 16, baseUnknown},
		{"MAINT", 3, unknown, baseUnknown},
		{"DOWN+MAINT", 0, 16, baseDown},
		{"WORKING+MAINT", 0, 16, baseUnknown},
	}
	for _, test := range tests {
		st, _ := parse(test.state)
		assert.Equal(t, test.want, st.settle(test.alloc, test.all).base, "%+v", test)
	}
}

func TestStateMeaning(t *testing.T) {
	tests := []struct {
		state                                       string
		available, drained, draining, out, silently bool
		code                                        int
	}{
		{state: "IDLE", available: true, code: codeIdle},
		{state: "MIXED", available: true, code: codeMixed},
		{state: "ALLOCATED", available: true, code: codeAllocated},
		{state: "IDLE+PLANNED+RESERVED", available: true, code: codeIdle},
		{state: "IDLE+MAINTENANCE", available: true, code: codeIdle},
		{state: "IDLE+CLOUD+POWERED_DOWN", available: true, silently: true, code: codeIdle},
		{state: "IDLE+CLOUD+NOT_RESPONDING+POWERING_UP", available: true, silently: true, code: codeIdle},
		{state: "IDLE+NOT_RESPONDING", silently: true, code: codeIdle},
		{state: "IDLE+DRAIN", drained: true, out: true, code: codeDrained},
		{state: "IDLE+DRAIN+COMPLETING", draining: true, out: true, code: codeDraining},
		{state: "MIXED+DRAIN", draining: true, out: true, code: codeDraining},
		{state: "ALLOCATED+DRAIN", draining: true, out: true, code: codeDraining},
		{state: "DOWN+DRAIN", drained: true, out: true, code: codeDown},
		{state: "DOWN", out: true, code: codeDown},
		{state: "DOWN*", out: true, silently: true, code: codeDown},
		{state: "ERROR+DRAIN", draining: true, out: true, code: codeError},
		{state: "ERROR", code: codeError},
		{state: "MIXED+FAIL", code: codeFailing},
		{state: "IDLE+INVALID_REG", code: codeIdle},
		{state: "FUTURE", out: true, silently: true, code: codeFuture},
		{state: "UNKNOWN*", silently: true, code: codeUnknown},
		{state: "UNKNOWN+DRAIN", drained: true, out: true, code: codeDrained},
	}
	for _, test := range tests {
		t.Run(test.state, func(t *testing.T) {
			st, strange := parse(test.state)
			require.Empty(t, strange)
			assert.Equal(t, test.available, st.available(), "available")
			assert.Equal(t, test.drained, st.drained(), "drained")
			assert.Equal(t, test.draining, st.draining(), "draining")
			assert.Equal(t, test.out, st.out(), "out")
			assert.Equal(t, test.silently, st.silent(), "silent")
			assert.Equal(t, test.code, st.code(), "code")
		})
	}
}

// spell writes a state in the words that parseState knows.
func spell(st nodeState) string {
	var words []string
	if !st.bare {
		words = append(words, strings.ToUpper(baseNames[st.base]))
	}
	for i, name := range flagNames {
		if st.flags&(1<<i) != 0 && 1<<i != flagOther {
			words = append(words, strings.ToUpper(name))
		}
	}
	return strings.Join(words, "+")
}

func FuzzState(f *testing.F) {
	for _, s := range []string{"MIXED+DRAIN", "DOWN*", "MIXED#+CLOUD", "MAINT", "IDLE+SHINY", "ALLOCATED+", "A*~#%$@^!-+", "+++", ""} {
		f.Add(s)
	}
	for _, version := range versions {
		for _, l := range capture(f, version, "scontrol_nodes.out") {
			var n Node
			if n.parse(l) == nil {
				f.Add(string(n.State))
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		st, strange := parse(s)
		require.Less(t, st.base, base(baseCount))
		require.Less(t, st.flags, flagEnd)
		require.LessOrEqual(t, len(strange), len(s))
		require.False(t, st.draining() && st.drained())
		require.False(t, st.available() && st.flags&flagDrain != 0)
		if st.flags&flagOther != 0 {
			require.NotEmpty(t, strange)
		}
		if st.bare && st.flags == flagOther {
			return // nothing of it can be spelt
		}
		want := st
		want.flags &^= flagOther
		again, strange := parse(spell(st))
		require.Empty(t, strange, "%q spelt %q", s, spell(st))
		require.Equal(t, want, again, "%q spelt %q", s, spell(st))
	})
}
