package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// withToken lets through who sends the token: as "Authorization: Bearer TOKEN", or as the password of any user, which is
// what a browser asks for.
func withToken(token string, h http.Handler) http.Handler {
	if token == "" {
		return h
	}
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !bearer {
			_, sent, _ = r.BasicAuth()
		}
		got := sha256.Sum256([]byte(sent))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="clusterload", charset="UTF-8"`)
			http.Error(w, "want the token", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}
