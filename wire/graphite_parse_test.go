package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseLine(t *testing.T) {
	good := []struct {
		line string
		want Point
	}{
		{"a.b 1 2", Point{"a.b", 1, 2}},
		{"\ta.b  1e3 \t2.9\r", Point{"a.b", 1000, 2}},
		{"a.b;c=d -0.5 -1", Point{"a.b;c=d", -0.5, -1}},
	}
	for _, test := range good {
		got, err := ParseLine([]byte(test.line))
		assert.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	bad := []struct{ line, want string }{
		{"", `line "": want 3 fields: path, value, time`},
		{"a 1", `line "a 1": want 3 fields: path, value, time`},
		{"a 1 2 3", `line "a 1 2 3": want 3 fields: path, value, time`},
		{"a x 2", `line "a x 2": value: "x": want a finite number`},
		{"a NaN 2", `line "a NaN 2": value: "NaN": want a finite number`},
		{"a 0x1p3 2", `line "a 0x1p3 2": value: "0x1p3": want a finite number`},
		{"a 1e999 2", `line "a 1e999 2": value: "1e999": want a finite number`},
		{"a 1 now", `line "a 1 now": time: "now": want seconds since 1970`},
		{"a 1 1e300", `line "a 1 1e300": time: "1e300": want seconds since 1970`},
	}
	for _, test := range bad {
		_, err := ParseLine([]byte(test.line))
		assert.EqualError(t, err, test.want)
	}
}

func TestParseTags(t *testing.T) {
	name, tags, err := ParseTags("a.b;c=d;e=f=g")
	assert.NoError(t, err)
	assert.Equal(t, "a.b", name)
	assert.Equal(t, []Tag{{"c", "d"}, {"e", "f=g"}}, tags)

	name, tags, err = ParseTags("a.b")
	assert.NoError(t, err)
	assert.Equal(t, "a.b", name)
	assert.Empty(t, tags)

	for _, path := range []string{"", ";a=b", "a;", "a;b", "a;=b", "a;b=", "a;b=~c", "a;b!=c", "a;b=c;"} {
		_, _, err := ParseTags(path)
		assert.Error(t, err, "%q", path)
	}
}
