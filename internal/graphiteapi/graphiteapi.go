// Package graphiteapi asks a Graphite over its HTTP API, /render and /metrics/find, whichever program serves it.
package graphiteapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// A Client asks one Graphite.
type Client struct {
	URL      *url.URL // of the API's root; /render is below it
	Token    string   // sent as a bearer; "": none
	Timeout  time.Duration
	Progress func(done, total int64) // bytes of the answer; total 0 is unknown; nil: nobody wants to know
}

// maxAnswer bounds the memory for an answer.
const maxAnswer = 512 << 20

// A Render asks for series.
type Render struct {
	Targets     []string
	From, Until string // as Graphite spells times
	MaxPoints   int    // of a series, consolidated; 0: all
}

// Render returns the series of the targets, in the order of the answer.
func (c *Client) Render(ctx context.Context, r Render) ([]chart.Series, error) {
	form := url.Values{"target": r.Targets, "from": {r.From}, "until": {r.Until}, "format": {"json"}}
	if r.MaxPoints > 0 {
		form.Set("maxDataPoints", strconv.Itoa(r.MaxPoints))
	}
	var series []chart.Series
	err := c.ask(ctx, "/render", form, func(body io.Reader) (err error) {
		series, err = parseRender(body)
		return err
	})
	return series, err
}

// A Node is an element of the tree of paths.
type Node struct {
	Name string
	Leaf bool // it holds points
}

// Find returns the nodes that match a pattern, at the level of its last element.
func (c *Client) Find(ctx context.Context, pattern string) ([]Node, error) {
	var nodes []Node
	err := c.ask(ctx, "/metrics/find", url.Values{"query": {pattern}, "format": {"treejson"}}, func(body io.Reader) (err error) {
		nodes, err = parseFind(body)
		return err
	})
	return nodes, err
}

// longest is how long a request's address may be before its form goes into its body.
const longest = 2000

func (c *Client) request(ctx context.Context, path string, form url.Values) (*http.Request, error) {
	u := *c.URL
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+path, ""
	u.RawQuery, u.Fragment = "", ""
	encoded := form.Encode()
	method, body := http.MethodGet, io.Reader(nil)
	if len(encoded) > longest {
		method, body = http.MethodPost, strings.NewReader(encoded)
	} else {
		u.RawQuery = encoded
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return req, nil
}

func (c *Client) ask(ctx context.Context, path string, form url.Values, parse func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := c.request(ctx, path, form)
	if err != nil {
		return fmt.Errorf("graphite %s: %w", c.URL.Redacted(), err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refused(resp)
	}
	body := &counter{Reader: io.LimitReader(resp.Body, maxAnswer), total: max(0, resp.ContentLength), progress: c.Progress}
	if err := parse(body); err != nil {
		if body.done == maxAnswer {
			err = fmt.Errorf("more than %d MB: ask for less", maxAnswer>>20)
		}
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
			err = errors.New("a page came, no data: want the address of Graphite's HTTP API")
		}
		return c.explain(fmt.Errorf("answer: %w", err))
	}
	return nil
}

// explain says what went wrong, without the long address that was asked.
func (c *Client) explain(err error) error {
	where := "graphite " + c.URL.Redacted()
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if timeout := net.Error(nil); errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%s: no answer within %s", where, c.Timeout)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// refused says why an answer is none.
func (c *Client) refused(resp *http.Response) error {
	where := "graphite " + c.URL.Redacted() + ": " + resp.Status
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: want --token-file with a token that it takes", where)
	case http.StatusNotFound:
		return fmt.Errorf("%s: want the address of Graphite's HTTP API", where)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/html" {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000)) // the status says enough
		if line := firstLine(string(text)); line != "" {
			return fmt.Errorf("%s: %s", where, line)
		}
	}
	return errors.New(where)
}

// firstLine is the first line of a text that is not empty, safe to print.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, line)
	return strings.TrimSpace(line[:min(len(line), 300)])
}

// counter counts what is read.
type counter struct {
	io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}
