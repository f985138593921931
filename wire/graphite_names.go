package wire

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A style says how the values of a placeholder are spelled.
type style uint8

const (
	pathElement     style = iota // lower case; runs of anything but a-z, 0-9, _ and - become one _
	originalElement              // as it is, but for what cannot stand in a path or in a query: _ for each
	tagValue                     // as it is, but for spaces, control characters, ; and a ~ in front: _ for each
)

const (
	maxName  = 200     // bytes of one spelled name
	noName   = "_none" // the spelling of the empty name
	maxKnown = 1 << 16 // names of one placeholder that are remembered before the lonely ones are forgotten
)

// plainBytes holds, for each style, the bytes that are kept as they are.
var plainBytes = [3][256]bool{}

func init() {
	for c := range 256 {
		b := byte(c)
		alnum := b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '_' || b == '-'
		visible := b > ' ' && b < 0x7f
		plainBytes[pathElement][c] = alnum
		plainBytes[originalElement][c] = visible && !strings.ContainsRune("./\\;*?[]{}(),\"'`", rune(b))
		plainBytes[tagValue][c] = visible && b != ';' && b != '~'
	}
}

// plain tells whether the style surely leaves v as it is. For some values it does although plain says no.
func (s style) plain(v string) bool {
	if v == "" || len(v) > maxName {
		return false
	}
	keep := &plainBytes[s]
	for i := range len(v) {
		if !keep[v[i]] {
			return false
		}
	}
	return true
}

// spell spells v by itself, whatever other names are spelled alike.
func (s style) spell(v string) string {
	if v == "" {
		return noName
	}
	b := make([]byte, 0, min(len(v), maxName+utf8.UTFMax))
	for i, r := range v {
		if len(b) > maxName {
			break
		}
		c, whole := v[i], r != utf8.RuneError || strings.HasPrefix(v[i:], string(utf8.RuneError))
		switch {
		case s == pathElement && c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c < utf8.RuneSelf && (plainBytes[s][c] || s == tagValue && c == '~' && i > 0):
			b = append(b, c)
		case s == tagValue && c >= utf8.RuneSelf && whole && !unicode.IsSpace(r) && !unicode.IsControl(r):
			b = utf8.AppendRune(b, r)
		case s != pathElement || !replaced(v, i):
			b = append(b, '_')
		}
	}
	return string(cut(b, maxName))
}

// replaced tells whether what stands before v[i] was replaced in a path element, so that the run goes on.
func replaced(v string, i int) bool {
	if i == 0 {
		return false
	}
	c := v[i-1]
	return !plainBytes[pathElement][c] && (c < 'A' || c > 'Z')
}

// cut shortens b to at most n bytes without splitting a character.
func cut(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

type nameKey struct {
	placeholder string
	style       style
}

// namesOf returns the names of a placeholder. All templates share them, so that a user is spelled alike everywhere.
func (g *Graphite) namesOf(placeholder string, s style) *names {
	key := nameKey{placeholder, s}
	n, ok := g.names[key]
	if !ok {
		n = &names{style: s, known: map[string]*name{}}
		g.names[key] = n
	}
	return n
}

// names remembers how the values of one placeholder are spelled, those that spelling changes and those that these could
// be taken for. Of two that would be spelled alike both get a suffix of four hex digits, made from the original, and keep
// it. A value that is plain, and that nothing was spelled like, costs no look into a map.
type names struct {
	style  style
	known  map[string]*name // by original
	any    bool             // some are known
	filter [4]uint64        // a bit for the shape of each that is known
}

// A name is how one original is spelled.
type name struct {
	original string
	spelled  string
	seen     bool // false: not met itself, it only is what another one is spelled like
	group    *group
}

// A group is the originals, seen ones, whose spelling would be the same.
type group struct{ members []*name }

// shape picks a bit of the filter.
func shape(v string) uint8 {
	if v == "" {
		return 0
	}
	return uint8(len(v))*37 + v[0]*11 + v[len(v)-1]*5 + v[len(v)/2]
}

// mayKnow tells whether v may be known. False is sure.
func (n *names) mayKnow(v string) bool {
	if !n.any {
		return false
	}
	h := shape(v)
	return n.filter[h>>6]&(1<<(h&63)) != 0
}

// see takes notice of a value of a batch, before any is spelled.
func (n *names) see(v string) {
	if !n.style.plain(v) || n.mayKnow(v) {
		n.learn(v)
	}
}

// spelling returns how v is spelled.
func (n *names) spelling(v string) string {
	k := n.known[v]
	switch {
	case k == nil:
		return v
	case !k.seen:
		n.join(k)
	}
	return k.spelled
}

func (n *names) learn(v string) {
	k := n.known[v]
	if k == nil && n.style.plain(v) {
		return // nothing is spelled like it, only shaped
	}
	if k == nil {
		k = n.add(strings.Clone(v), n.style.spell(v))
	}
	if !k.seen {
		n.join(k)
	}
}

// add makes a name known, and what it is spelled like.
func (n *names) add(original, spelled string) *name {
	like, ok := n.known[spelled]
	if !ok {
		like = &name{original: spelled, spelled: spelled, group: &group{}}
		n.keep(like)
	}
	if original == spelled {
		return like
	}
	k := &name{original: original, spelled: spelled, group: like.group}
	n.keep(k)
	return k
}

func (n *names) keep(k *name) {
	n.known[k.original] = k
	n.any = true
	h := shape(k.original)
	n.filter[h>>6] |= 1 << (h & 63)
}

// join counts k among those that were met, and parts it from others of the same spelling.
func (n *names) join(k *name) {
	k.seen = true
	g := k.group
	g.members = append(g.members, k)
	switch len(g.members) {
	case 1:
	case 2:
		n.part(g.members[0])
		n.part(k)
	default:
		n.part(k)
	}
}

// part gives k its suffix: four digits, and more in the rare case that the spelling is another name's already.
func (n *names) part(k *name) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k.original))
	sum := h.Sum64()
	sum ^= sum >> 32
	base := k.spelled
	for digits := 4; digits <= 16; digits += 4 {
		suffix := fmt.Sprintf("_%0*x", digits, sum&(1<<(4*digits)-1))
		spelled := string(cut([]byte(base), maxName-len(suffix))) + suffix
		if n.known[spelled] == nil {
			n.keep(&name{original: spelled, spelled: spelled, group: k.group})
			k.spelled = spelled
			return
		}
	}
}

// forget drops the names that no other is spelled like, where they have become too many. It must not come between see
// and spelling.
func (n *names) forget() {
	if len(n.known) < maxKnown {
		return
	}
	known := n.known
	n.known, n.any, n.filter = map[string]*name{}, false, [4]uint64{}
	for _, k := range known {
		if len(k.group.members) > 1 {
			n.keep(k)
		}
	}
}
