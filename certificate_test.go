package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate writes a new certificate for 127.0.0.1 with its key, and gives it.
func writeCertificate(t *testing.T, cert, key string) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: encoded}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestProcess_ServesHTTPSAndTakesARenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	if _, stderr, status := p.run(); status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "TLS_CERT_FILE") {
		t.Errorf("without the files: status %d, %q", status, stderr)
	}
	first := writeCertificate(t, cert, key)
	host := strings.TrimPrefix(p.url, "http://")
	trusted := x509.NewCertPool()
	trusted.AddCert(first)
	shown := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: trusted})
		if err != nil {
			return nil
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	p.launch()
	p.api().until("the server to serve HTTPS", func() bool { return first.Equal(shown()) })
	p.api().until("the addresses to be told", func() bool {
		return strings.Contains(p.stdout.String(), "https://") && strings.Contains(p.stdout.String(), "wss://")
	})
	second := writeCertificate(t, cert, key)
	trusted.AddCert(second)
	p.api().until("the renewed certificate to be shown", func() bool { return second.Equal(shown()) })
	told := func() int { return strings.Count(p.stderr.String(), "cannot be used") }
	before := told() // one whose files were seen between their writing is no fault
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.api().until("the bad one to be told of", func() bool { shown(); return told() > before })
	if !second.Equal(shown()) {
		t.Error("a certificate that cannot be used took the former one's place")
	}
	p.stop()
}
