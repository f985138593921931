package databasetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

// taken: several batches arrive, each confirmed by itself and several at once.
func taken(k *kase) {
	c := k.open(patient)
	assert.Empty(k, k.deliver(c, 1, k.some(5, 12)...))
	assert.Empty(k, k.deliver(c, 4, k.some(7, 12)...))
}

// nothing: an empty batch connects and sends nothing, and so does a Confirm with nothing to confirm.
func nothing(k *kase) {
	c := k.open(patient)
	require.NoError(k, c.Send(k.ctx, nil))
	if c, ok := c.(database.Confirmer); ok {
		require.NoError(k, c.Confirm(k.ctx))
		require.NoError(k, c.Confirm(k.ctx))
	}
	assert.Empty(k, k.deliver(c, 2, k.block(3)))
}

// partlyRejected: bad points are named by their index and hold up no others.
func partlyRejected(k *kase) {
	if k.server.Bad == nil {
		k.Skip("this database takes anything")
	}
	c := k.open(patient)
	bad := k.server.Bad(k.name)
	require.NotEmpty(k, bad)
	var ms []aggregator.Metric
	var want []int
	for i, m := range k.block(3 * len(bad)) {
		if i%3 == 1 {
			want = append(want, len(ms))
			ms = append(ms, bad[i/3])
		}
		ms = append(ms, m)
	}
	errs := k.deliver(c, 1, ms)
	require.Len(k, errs, 1)
	var r *database.Rejected
	require.ErrorAs(k, errs[0], &r)
	require.NoError(k, r.Rest)
	var got []int
	for _, p := range r.Points {
		got = append(got, p.Index)
		assert.NotEmpty(k, p.Reason, "point %d", p.Index)
	}
	slices.Sort(got)
	assert.Equal(k, want, got, "%v", r.Points)

	errs = k.deliver(c, 1, bad)
	require.Len(k, errs, 1, "a batch with nothing but bad points")
	require.ErrorAs(k, errs[0], &r)
	assert.Len(k, r.Points, len(bad))
}

// badCharacters: names from outside break no line, and each arrives as a series of its own.
func badCharacters(k *kase) {
	labels := []string{
		"two words", "tab\tbed", "new\nline", "carriage\rreturn", "semi;colon", "not\xff\xfeutf8", `quote"'`, "per%cent", "", "ümlaut",
		"pipe|line", "nul\x00byte", "equals=sign", "{brace}", "UPPER", "dot.dot", "slash/slash", "back\\slash", "~tilde", "star*", "\u2028",
		"comma,space ", "paren(x)", strings.Repeat("long", 49), "-", "a;b=c d 1 2\ne.f 3 4", "#hash", "$(touch x)", "'; --",
	}
	c := k.open(patient)
	assert.Empty(k, k.deliver(c, 1, k.labelled(labels), k.labelled(labels)))
	require.Len(k, k.sent, 2*len(labels), "the suite's own labels are spelled alike: %q", k.sent)
}

// large: batches far larger than any buffer, frame or packet.
func large(k *kase) {
	c := k.open(patient)
	big := slices.Concat(k.some(100, 150)...)
	assert.Empty(k, k.deliver(c, 2, big, k.block(150)))
}

// refused: nobody listens, and later somebody does.
func refused(k *kase) {
	k.link.Down()
	c := k.open(patient)
	blocks := k.some(2, 5)
	for range 3 {
		err := c.Send(k.ctx, blocks[0])
		if c, ok := c.(database.Confirmer); ok && err == nil {
			err = c.Confirm(k.ctx)
		}
		require.Error(k, err)
		assert.Contains(k, err.Error(), k.address, "the error names the server")
	}
	k.link.Up()
	assert.Empty(k, k.deliver(c, 2, blocks...))
}

// slow: a server that takes its time is waited for.
func slow(k *kase) {
	k.link.Next(slices.Repeat([]Fault{{Kind: Slow}}, 9)...)
	assert.Empty(k, k.deliver(k.open(patient), 2, k.some(6, 200)...))
}

// closedBefore: a server that has closed an idle connection costs nothing, not even an error.
func closedBefore(k *kase) {
	c := k.open(patient)
	require.NoError(k, c.Send(k.ctx, nil))
	k.link.Cut(k.ctx)
	assert.Empty(k, k.deliver(c, 1, k.block(4)))
}

// closedMidway: the server closes in order, with bytes on the way to it.
func closedMidway(k *kase) {
	k.link.Next(Fault{Close, 0}, Fault{Close, 1}, Fault{Close, 700}, Fault{Close, 2000}, Fault{Close, 20000})
	k.deliver(k.open(patient), 3, k.some(15, 100)...)
}

func resetMidway(k *kase) {
	k.link.Next(Fault{Reset, 0}, Fault{Reset, 1}, Fault{Reset, 700}, Fault{Reset, 2000}, Fault{Reset, 20000})
	errs := k.deliver(k.open(patient), 3, k.some(15, 100)...)
	assert.NotEmpty(k, errs)
}

// resetUnread: the server is killed when its kernel has taken everything and the program has read only a part.
func resetUnread(k *kase) {
	k.link.Next(Fault{Unread, 0}, Fault{Unread, 300}, Fault{}, Fault{Unread, 900})
	errs := k.deliver(k.open(patient), 2, k.some(8, 50)...)
	assert.GreaterOrEqual(k, len(errs), 3)
}

// stalled: a server that accepts and never reads is found within the timeout, for few bytes and for many.
func stalled(k *kase) {
	k.link.Next(Fault{Stall, 0})
	c := k.open(impatient)
	errs := k.deliver(c, 1, k.some(2, 20)...)
	assert.NotEmpty(k, errs)

	k.link.Next(Fault{Stall, 4000}, Fault{Stall, 0})
	errs = k.deliver(c, 1, slices.Concat(k.some(200, 150)...))
	assert.GreaterOrEqual(k, len(errs), 2, "%v", errs)
}

// cancelled: Send returns soon after its context is done, and what it was about is sent later.
func cancelled(k *kase) {
	c := k.open(patient)
	ms := slices.Concat(k.some(100, 150)...)
	ctx, cancel := context.WithCancel(k.ctx)
	k.link.Next(Fault{Stall, 100})
	k.link.OnFault(cancel)
	err := c.Send(ctx, ms)
	if c, ok := c.(database.Confirmer); ok && err == nil {
		err = c.Confirm(ctx)
	}
	require.ErrorIs(k, err, context.Canceled)
	assert.Empty(k, k.deliver(c, 1, ms))
}

// restarted: the server goes and comes back while something is sent that is not confirmed.
func restarted(k *kase) {
	c := k.open(patient)
	assert.Empty(k, k.deliver(c, 2, k.some(4, 20)...))
	for range 2 {
		k.stored()
		blocks := k.some(3, 20)
		require.NoError(k, c.Send(k.ctx, blocks[0]))
		require.NoError(k, k.database.Restart(k.ctx))
		if c, ok := c.(database.Confirmer); ok && c.Send(k.ctx, blocks[1]) == nil && c.Confirm(k.ctx) == nil {
			k.expect(blocks[:2]...) // then it has them
			blocks = blocks[2:]
		}
		k.deliver(c, 2, blocks...)
	}
}

// resetsEverywhere: a hundred resets at any byte, torn lines among them.
func resetsEverywhere(k *kase) {
	random := rand.New(rand.NewPCG(7, 11))
	var faults []Fault
	for i := range 100 {
		faults = append(faults, Fault{[]Kind{Reset, Close}[i%2], random.IntN(2500)})
	}
	k.link.Next(faults...)
	errs := k.deliver(k.open(patient), 3, k.some(120, 20)...)
	assert.GreaterOrEqual(k, len(errs), 30, "of 100 faults, how many hit: %s", fmt.Sprint(errs))
}
