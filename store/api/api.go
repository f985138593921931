// Package api serves Graphite's HTTP API over a store: render, find, expand, tags, events, functions. Targets are evaluated
// by carbonapi's functions; where these differ from graphite-web's, functions of this package stand in their place.
package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// A Storage holds series. Paths are dotted or tagged ("name;tag=value"), times are Unix seconds, and yield is called until it
// returns false. An error that has a method HTTPStatus() int says which status it means.
type Storage interface {
	// Fetch reads the series that a dotted pattern names, sorted by path, in Whisper's slots.
	Fetch(ctx context.Context, pattern string, from, until int64, consolidate string, yield func(path string, start, step int64, values []float64) bool) error
	// FetchTagged reads the series that tag expressions name.
	FetchTagged(ctx context.Context, expressions []string, from, until int64, consolidate string, yield func(path string, start, step int64, values []float64) bool) error
	// Find lists the nodes that a dotted pattern names; 0 leaves a bound of time open.
	Find(ctx context.Context, pattern string, from, until int64, yield func(path string, leaf, branch bool) bool) error
	FindTagged(ctx context.Context, expressions []string, yield func(path string) bool) error
	Paths(ctx context.Context, yield func(path string) bool) error
	TagNames(ctx context.Context, expressions []string, prefix string, limit int) ([]string, error)
	TagValues(ctx context.Context, tag string, expressions []string, prefix string, limit int) ([]string, error)
}

// Config says what is served.
type Config struct {
	Storage func() Storage // asked at each request; nil while there is none
	Events  *Events        // nil: none are kept
	Health  func() (status int, body any)
	Quota   func(ctx context.Context) (context.Context, func()) // of one request's points; nil: none
	Version string                                              // of Graphite, that clients ask for
	Zone    *time.Location                                      // in which times are read that name none; UTC
	Logger  *slog.Logger
	Renders int // that run at once: two a processor

	Now func() time.Time // time.Now
}

// An API is the handler of Graphite's addresses.
type API struct {
	config  Config
	mux     *http.ServeMux
	renders chan struct{}
}

const (
	maxBody  = 16 << 20
	longest  = 2 * time.Minute // of one request
	graphite = "1.1.8"
)

// New makes the handler. Addresses that are not Graphite's answer 404; Known tells them apart.
func New(c Config) *API {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Version == "" {
		c.Version = graphite
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Renders <= 0 {
		c.Renders = 2 * runtime.GOMAXPROCS(0)
	}
	loadFunctions()
	a := &API{config: c, mux: http.NewServeMux(), renders: make(chan struct{}, c.Renders)}
	for pattern, h := range map[string]func(*request) error{
		"/render":                   (*request).render,
		"/metrics/find":             (*request).find,
		"/metrics":                  (*request).find,
		"/metrics/expand":           (*request).expand,
		"/metrics/index.json":       (*request).index,
		"/tags":                     (*request).tags,
		"/tags/{tag}":               (*request).tag,
		"/tags/findSeries":          (*request).findSeries,
		"/tags/autoComplete/tags":   (*request).completeTags,
		"/tags/autoComplete/values": (*request).completeValues,
		"/tags/tagSeries":           (*request).tagSeries,
		"/tags/tagMultiSeries":      (*request).tagMultiSeries,
		"/events":                   (*request).events,
		"/events/get_data":          (*request).eventData,
		"/events/{id}":              (*request).event,
		"/functions":                (*request).functions,
		"/functions/{name}":         (*request).function,
		"/version":                  (*request).version,
		"/_health":                  (*request).health,
	} {
		a.mux.Handle(pattern, a.handler(h))
		a.mux.Handle(pattern+"/{$}", a.handler(h))
	}
	return a
}

// Known tells whether a request is for one of Graphite's addresses.
func (a *API) Known(r *http.Request) bool {
	_, pattern := a.mux.Handler(r)
	return pattern != ""
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// A request is one request and what answers it.
type request struct {
	*http.Request
	api     *API
	w       http.ResponseWriter
	ctx     context.Context
	storage Storage
	written bool // the status is out: an error can only cut the answer short
}

// A statusError is an error that says its status.
type statusError struct {
	status int
	reason string
}

func (e *statusError) Error() string   { return e.reason }
func (e *statusError) HTTPStatus() int { return e.status }

// bad makes the error of a request that asks for something wrong.
func bad(reason string) error { return &statusError{http.StatusBadRequest, reason} }

// handler runs a method with everything that all of them need: parsed parameters, a deadline, and an answer for errors and
// panics.
func (a *API) handler(h func(*request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), longest)
		defer cancel()
		if a.config.Quota != nil {
			var done func()
			ctx, done = a.config.Quota(ctx)
			defer done()
		}
		q := &request{Request: r, api: a, w: w, ctx: ctx}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				a.config.Logger.Error("request panics", "url", r.URL.Path, "form", r.Form.Encode(), "panic", p, "stack", string(debug.Stack()))
				q.fail(&statusError{http.StatusInternalServerError, "internal error"})
			}
		}()
		if err := q.begin(); err != nil {
			q.fail(err)
			return
		}
		if err := h(q); err != nil {
			q.fail(err)
		}
	})
}

func (q *request) begin() error {
	switch q.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
	default:
		q.w.Header().Set("Allow", "GET, HEAD, POST")
		return &statusError{http.StatusMethodNotAllowed, "want GET or POST"}
	}
	q.Body = http.MaxBytesReader(q.w, q.Body, maxBody)
	if strings.HasPrefix(q.URL.Path, "/events") { // what is posted there is JSON, whatever it is called
		q.Form = q.URL.Query()
	} else if err := q.ParseForm(); err != nil {
		return bad(err.Error())
	}
	if q.api.config.Storage != nil {
		q.storage = q.api.config.Storage()
	}
	return nil
}

// fail answers with an error, or ends an answer that has begun so that the client sees it is cut.
func (q *request) fail(err error) {
	if q.ctx.Err() != nil && q.Context().Err() != nil {
		return // the client has gone
	}
	if q.written {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusInternalServerError
	var s interface{ HTTPStatus() int }
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &s):
		status = s.HTTPStatus()
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	if status >= 500 {
		q.api.config.Logger.Warn("request failed", "url", q.URL.Path, "form", q.Form.Encode(), "error", err)
	}
	http.Error(q.w, err.Error(), status)
}

// needStorage says that the request cannot be answered while there is no store.
func (q *request) needStorage() error {
	if q.storage == nil {
		return &statusError{http.StatusServiceUnavailable, "the store is not open"}
	}
	return nil
}

// list returns the values of a parameter, given as "name" or as "name[]".
func (q *request) list(name string) []string {
	if vs := q.Form[name]; len(vs) > 0 {
		return vs
	}
	return q.Form[name+"[]"]
}

// number returns a whole number among the parameters.
func (q *request) number(name string, fallback int) (int, error) {
	v := q.Form.Get(name)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, bad("Invalid int value " + strconv.Quote(v) + " for param " + name)
	}
	return n, nil
}

// zone is the time zone that the request names, or the usual one.
func (q *request) zone() *time.Location {
	if name := q.Form.Get("tz"); name != "" && name != "Local" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return q.api.config.Zone
}

// writeJSON answers with JSON, wrapped for jsonp where asked.
func (q *request) writeJSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if q.Form.Get("pretty") != "" {
		if indented, err := json.MarshalIndent(v, "", "  "); err == nil {
			body = indented
		}
	}
	kind := "application/json"
	if name := q.Form.Get("jsonp"); name != "" {
		if !callback(name) {
			return bad("jsonp: want a name of letters, digits, _, $ and dots")
		}
		kind = "text/javascript"
		body = append(append([]byte(name+"("), body...), ')')
	}
	return q.write(status, kind, body)
}

// write answers with a whole body.
func (q *request) write(status int, kind string, body []byte) error {
	h := q.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	q.written = true
	if len(body) > 4<<10 && q.acceptsGzip() {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		q.w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(q.w, gzip.BestSpeed) // the level is right
		if _, err := z.Write(body); err != nil {
			return err
		}
		return z.Close()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	_, err := q.w.Write(body)
	return err
}

// acceptsGzip tells whether the answer may be compressed. One to the same machine is not worth the time.
func (q *request) acceptsGzip() bool {
	return strings.Contains(q.Header.Get("Accept-Encoding"), "gzip") && !strings.HasPrefix(q.RemoteAddr, "127.") && !strings.HasPrefix(q.RemoteAddr, "[::1]")
}

// callback tells whether a name may stand in front of jsonp's parenthesis.
func callback(name string) bool {
	if len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		if !letter && (i == 0 || c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

func (q *request) version() error { return q.writeJSON(http.StatusOK, q.api.config.Version) }

func (q *request) health() error {
	if q.api.config.Health == nil {
		return q.writeJSON(http.StatusOK, map[string]string{"status": "ok"})
	}
	status, body := q.api.config.Health()
	return q.writeJSON(status, body)
}
