package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is what the server shows to clients over TLS. Whoever renews it replaces the files: it is read again without a
// restart.
type certificate struct {
	cert, key string // files
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	as     string // the files as they were when it was loaded
	looked time.Time
}

// lookEvery is how often it is looked whether the files have changed, at most.
const lookEvery = time.Second

// newCertificate reads the files for the first time.
func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

func (c *certificate) load() error {
	as := c.stamp()
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE=%s and TLS_KEY_FILE=%s: %w", c.cert, c.key, err)
	}
	c.loaded, c.as = &loaded, as
	return nil
}

// stamp tells the files' states apart.
func (c *certificate) stamp() string {
	var s string
	for _, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			s += fmt.Sprint(info.ModTime().UnixNano(), info.Size(), " ")
		}
	}
	return s
}

// get gives the certificate for a new connection. While the files are being replaced, or when that went wrong, it is the former one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if as := c.stamp(); as != c.as {
			if err := c.load(); err != nil {
				c.log.Warn("the new TLS certificate cannot be used, the former one stays", "error", err)
			} else {
				c.log.Info("the TLS certificate was renewed")
			}
			c.as = as // a bad one is told of once
		}
	}
	return c.loaded, nil
}
