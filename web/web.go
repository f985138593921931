// Package web holds the dashboard: the pages that show a cluster's load in a browser. They ask Graphite's HTTP API at the
// address that served them, and nothing else.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// Pages are the addresses of the pages, all served by one document that looks at its own address.
var Pages = []string{"/", "/partition", "/nodes", "/hosts", "/explore", "/agent"}

// policy lets the pages load their own files and ask their own server, and nobody else's.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// A file is one embedded file as it goes over the wire.
type file struct {
	kind   string // Content-Type
	tag    string // ETag
	plain  []byte
	zipped []byte // gzip; nil where that is no smaller
}

// Handler serves the pages at "/" and below. What is none of them is 404, so that it stands well as the last handler
// behind Graphite's own addresses (/render, /metrics/…). A prefix that a proxy adds does no harm: all links are relative.
func Handler() http.Handler { return handler() }

var handler = sync.OnceValue(func() http.Handler {
	files, err := load(static)
	if err != nil {
		panic(err) // the files are part of the program: only a broken build comes here
	}
	return files
})

// A site maps each address to its file.
type site map[string]*file

func load(from fs.FS) (site, error) {
	s := site{}
	err := fs.WalkDir(from, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		f, err := newFile(name, b)
		s[strings.TrimPrefix(name, "static")] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("embedded pages: %w", err)
	}
	index, ok := s["/index.html"]
	if !ok {
		return nil, fmt.Errorf("embedded pages: no index.html")
	}
	delete(s, "/index.html")
	for _, page := range Pages {
		s[page] = index
	}
	return s, nil
}

func newFile(name string, b []byte) (*file, error) {
	f := &file{kind: kind(name), plain: b}
	sum := sha256.Sum256(b)
	f.tag = base64.RawURLEncoding.EncodeToString(sum[:12])
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if z.Len() < len(b) {
		f.zipped = z.Bytes()
	}
	return f, nil
}

// kind is a file's type. The ones that matter are written down: what mime knows depends on the machine.
func kind(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := s[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "want GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // a new program's pages are seen at once; unchanged ones cost a 304
	h.Set("Vary", "Accept-Encoding")
	body, tag := f.plain, f.tag
	if f.zipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, tag = f.zipped, tag+"-gz"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	if known(r.Header.Get("If-None-Match"), f.tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client has gone: nobody to tell
	}
}

// known tells whether an If-None-Match names the file, in either encoding.
func known(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.Trim(strings.TrimPrefix(strings.TrimSpace(one), "W/"), `"`)
		if strings.TrimSuffix(one, "-gz") == tag {
			return true
		}
	}
	return false
}

// acceptsGzip reads an Accept-Encoding: "gzip, br", "gzip;q=0.5", and not "gzip;q=0".
func acceptsGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, parameter, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.TrimSpace(name) != "gzip" && strings.TrimSpace(name) != "*" {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !found || err == nil && weight > 0
	}
	return false
}
