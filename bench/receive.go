package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxReceived = 1 << 20 // bytes of a request's body

// receive is a webhook endpoint for people to look at: it prints every request and answers as it is told to.
func receive(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench receive", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:9000", "address to listen on")
	status := flags.Int("status", http.StatusOK, "HTTP status to answer with: 500 lets you see retries, 400 a failure at once")
	delay := flags.Duration("delay", 0, "time to wait before answering, such as 2s")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *status < 200 || *status > 599 {
		return errors.New("-status must be 200 to 599")
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("starting the receiver: %w", err)
	}
	fmt.Fprintf(out, "Receiving on http://%s/ and answering %d. Make a channel with this address (any path will do), and start the\n"+
		"server with EGRESS_ALLOW=127.0.0.0/8 so that it may call this machine. Ctrl-C ends.\n", listener.Addr(), *status)
	server := &http.Server{
		Handler:     &printer{out: out, status: *status, delay: *delay},
		ReadTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("receiving: %w", err)
	}
	return nil
}

// printer prints requests, one at a time.
type printer struct {
	out    io.Writer
	status int
	delay  time.Duration

	mu    sync.Mutex
	count int
}

func (p *printer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReceived))
	if err != nil {
		http.Error(w, "the body could not be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	p.print(r, body)
	if p.delay > 0 {
		select {
		case <-time.After(p.delay):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(p.status)
	switch {
	case p.status == http.StatusNoContent || p.status == http.StatusNotModified:
	case p.status < 300:
		_, _ = io.WriteString(w, "ok") // to the letter what Slack answers
	default:
		_, _ = io.WriteString(w, "told to answer "+strconv.Itoa(p.status))
	}
}

func (p *printer) print(r *http.Request, body []byte) {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name == "Accept-Encoding" || name == "Content-Length" {
			continue // say nothing about the message
		}
		for _, value := range r.Header[name] {
			fmt.Fprintf(&text, "  %s: %s\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "  ", "  ") == nil {
		fmt.Fprintf(&text, "\n  %s\n", pretty.Bytes())
	} else if len(body) > 0 {
		fmt.Fprintf(&text, "\n%s", indented(string(body)))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	fmt.Fprintf(p.out, "\n#%d  %s  %s %s\n%s", p.count, time.Now().Format("15:04:05.000"), r.Method, printable(r.RequestURI), text.String())
}

// indented sets every line in a bit.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + printable(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

// printable keeps what comes from outside from driving the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, line)
}
