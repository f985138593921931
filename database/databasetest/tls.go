package databasetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An Authority signs certificates for tests. It lives as long as the test.
type Authority struct {
	t      testing.TB
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

// NewAuthority makes one.
func NewAuthority(t testing.TB) *Authority {
	a := &Authority{t: t, folder: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.File(), "CERTIFICATE", der)
	return a
}

// File is the PEM file of the authority's own certificate.
func (a *Authority) File() string { return filepath.Join(a.folder, "ca.pem") }

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Issue writes a certificate for a host name or IP address, good for servers and for clients, and its key to PEM files.
func (a *Authority) Issue(name string) (cert, key string) {
	a.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(1 + a.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	private := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, key = filepath.Join(a.folder, name+".pem"), filepath.Join(a.folder, name+".key")
	writePEM(a.t, cert, "CERTIFICATE", der)
	writePEM(a.t, key, "PRIVATE KEY", secret)
	return cert, key
}

// Config is a server's, with a certificate for name, that wants the client to show one of the authority.
func (a *Authority) Config(name string) *tls.Config {
	cert, err := tls.LoadX509KeyPair(a.Issue(name))
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: a.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Terminate starts a server, for the length of the test, that takes TLS off connections and passes them on to target, as
// stunnel does, and returns its address. It answers a client's end of the connection once target did, and an end of target's
// at once.
func Terminate(t testing.TB, target string, config *tls.Config) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { terminate(c.(*net.TCPConn), target, config) })
		}
	})
	return l.Addr().String()
}

func terminate(raw *net.TCPConn, target string, config *tls.Config) {
	defer raw.Close()
	client := tls.Server(raw, config)
	if err := client.Handshake(); err != nil {
		return
	}
	s, err := net.Dial("tcp", target)
	if err != nil {
		abort(raw)
		return
	}
	server := s.(*net.TCPConn)
	defer server.Close()
	var ended atomic.Bool // the client has
	var answers sync.WaitGroup
	answers.Go(func() {
		_, err := io.Copy(client, server)
		if err != nil || !ended.Load() {
			abort(raw) // target has gone, and with it what the client still sends
		}
	})
	if _, err := io.Copy(server, client); err == nil {
		ended.Store(true)
		_ = server.CloseWrite()
	} else {
		abort(server)
	}
	answers.Wait()
	_ = client.Close()
}
