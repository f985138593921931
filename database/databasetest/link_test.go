package databasetest

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo is a server that sends everything back in capitals once it has read to the end, and tells what it read.
func echo(t *testing.T) (address string, read chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	read = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b, err := io.ReadAll(c)
			if err == nil {
				_, _ = c.Write([]byte(strings.ToUpper(string(b))))
			}
			c.Close()
			read <- string(b)
		}
	}()
	return l.Addr().String(), read
}

func dial(t *testing.T, l *Link) *net.TCPConn {
	c, err := net.Dial("tcp", l.Address())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// talk sends a text, ends its side and reads the answer.
func talk(c *net.TCPConn, text string) (answer string, err error) {
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := c.CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestLinkPasses(t *testing.T) {
	address, read := echo(t)
	l := NewLink(t, address)
	for _, kind := range []Kind{None, Slow} {
		l.Next(Fault{Kind: kind})
		text := strings.Repeat("abcdefg", 3000)
		got, err := talk(dial(t, l), text)
		require.NoError(t, err)
		assert.True(t, got == strings.ToUpper(text))
		assert.True(t, <-read == text)
	}
}

func TestLinkFaults(t *testing.T) {
	tests := []struct {
		fault Fault
		read  string
	}{
		{Fault{Reset, 3}, "abc"}, {Fault{Reset, 0}, ""}, {Fault{Close, 4}, "abcd"}, {Fault{Unread, 5}, "abcde"},
		{Fault{CutAnswer, 2}, "abcdefg"},
	}
	for _, test := range tests {
		address, read := echo(t)
		l := NewLink(t, address)
		struck := make(chan bool, 1)
		l.OnFault(func() { struck <- true })
		l.Next(test.fault)
		var got string
		conn, err := net.Dial("tcp", l.Address())
		if err == nil {
			got, err = talk(conn.(*net.TCPConn), "abcdefg")
			conn.Close()
		}
		<-struck
		assert.Condition(t, func() bool { // a reset, as soon as the client looks
			return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN)
		}, "%+v: %v", test.fault, err)
		if test.fault.Kind == CutAnswer {
			assert.True(t, strings.HasPrefix("AB", got), "%q", got)
		} else {
			assert.Empty(t, got)
		}
		if test.fault.Kind != Reset { // which may take away what was on its way
			assert.Equal(t, test.read, <-read, "%+v", test.fault)
		}
		got, err = talk(dial(t, l), "hij")
		require.NoError(t, err, "the next connection")
		assert.Equal(t, "HIJ", got)
	}
}

func TestLinkDownAndCut(t *testing.T) {
	address, _ := echo(t)
	l := NewLink(t, address)
	c := dial(t, l)
	l.Cut(t.Context())
	_, err := c.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)

	c = dial(t, l)
	l.Down()
	_, err = c.Read(make([]byte, 1))
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = net.Dial("tcp", l.Address())
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	l.Up()
	got, err := talk(dial(t, l), "again")
	require.NoError(t, err)
	assert.Equal(t, "AGAIN", got)
}
