package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// asked are the addresses of Graphite that the pages ask for.
var asked = []string{"/render", "/metrics", "/tags", "/events", "/functions", "/version", "/_health"}

// graphiteProxy passes Graphite's addresses on to another Graphite, and serves the rest itself. A user and a password in the
// address are sent there; those of the reader are not.
func graphiteProxy(address string, pages http.Handler) (http.Handler, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	user := target.User
	target.User = nil
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Header.Del("Authorization")
		r.Out.Header.Del("Cookie")
		if password, ok := user.Password(); ok || user.Username() != "" {
			r.Out.SetBasicAuth(user.Username(), password)
		}
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, "Graphite at "+target.Redacted()+" does not answer: "+err.Error(), http.StatusBadGateway)
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range asked {
			if r.URL.Path == prefix || strings.HasPrefix(r.URL.Path, prefix+"/") {
				proxy.ServeHTTP(w, r)
				return
			}
		}
		pages.ServeHTTP(w, r)
	}), nil
}
