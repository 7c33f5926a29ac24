package notifiers

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rustbucket/alerts/models"
)

func TestGuard_DecidesByAddress(t *testing.T) {
	for _, c := range []struct {
		allow, addr string
		want        string // part of the refusal; "" = allowed
	}{
		{"", "93.184.215.14", ""},
		{"", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", ""},
		{"", "::ffff:93.184.215.14", ""},
		{"", "64:ff9b::5db8:d70e", ""}, // a public address behind NAT64

		{"", "127.0.0.1", "127.0.0.1 is a loopback address: add 127.0.0.0/8 to EGRESS_ALLOW to allow it"},
		{"", "10.0.0.1", "10.0.0.1 is a private address: add 10.0.0.0/8 to EGRESS_ALLOW to allow it"},
		{"", "172.16.0.1", "add 172.16.0.0/12"},
		{"", "192.168.1.1", "add 192.168.0.0/16"},
		{"", "100.64.0.1", "add 100.64.0.0/10"},
		{"", "169.254.1.1", "link-local"},
		{"", "0.0.0.0", "add 0.0.0.0/32"},
		{"", "255.255.255.255", "reserved"},
		{"", "224.0.0.1", "reserved"},
		{"", "198.18.0.1", "reserved"},
		{"", "::", "reserved"},
		{"", "::1", "add ::1/128"},
		{"", "fd12::1", "add fc00::/7"},
		{"", "fe80::1%eth0", "add fe80::/10"},
		{"", "ff02::1", "reserved"},
		{"", "::ffff:127.0.0.1", "127.0.0.1 is a loopback address"},
		{"", "::ffff:10.0.0.1", "10.0.0.1 is a private address"},
		{"", "::127.0.0.1", "reserved"},
		{"", "64:ff9b::7f00:1", "127.0.0.1 is a loopback"},
		{"", "64:ff9b::a9fe:a9fe", "cloud metadata"},
		{"", "64:ff9b:1::a00:1", "reserved"},
		{"", "2002:7f00:1::", "reserved"},
		{"", "2001:0:53aa:64c:0:fbff:80ff:fffe", "reserved"},

		{"127.0.0.0/8", "127.0.0.1", ""},
		{"127.0.0.0/8", "::ffff:127.0.0.1", ""},
		{"127.0.0.0/8", "64:ff9b::7f00:1", ""},
		{"127.0.0.0/8", "::1", "add ::1/128"},
		{"10.0.0.0/8", "10.255.255.255", ""},
		{"10.0.0.0/8", "192.168.0.1", "private"},
		{"fc00::/7", "fd12::1", ""},
		{"fe80::/10", "fe80::1%eth0", ""},
		{"::1/128", "::1", ""},

		{"0.0.0.0/0,::/0", "10.0.0.1", ""},
		{"::/0", "::ffff:10.0.0.1", "private"},
		{"::/0", "2002:a00:1::", "10.0.0.1 is a private"},
		{"::/0", "2001:0:53aa:64c:0:fbff:80ff:fffe", "127.0.0.1 is a loopback"},
		{"::/0", "64:ff9b:1::a00:1", "10.0.0.1 is a private"},
		{"::/0", "::10.0.0.1", "10.0.0.1 is a private"},
		{"2002:a00:1::/128", "2002:a00:1::", ""},

		{"0.0.0.0/0,::/0", "169.254.169.254", "169.254.169.254 is a cloud metadata address: add 169.254.169.254/32 to EGRESS_ALLOW"},
		{"169.254.0.0/16", "169.254.169.254", "cloud metadata"},
		{"169.254.169.254/31", "169.254.169.254", "cloud metadata"},
		{"0.0.0.0/0,::/0", "::ffff:169.254.169.254", "cloud metadata"},
		{"0.0.0.0/0,::/0", "64:ff9b::a9fe:a9fe", "cloud metadata"},
		{"0.0.0.0/0,::/0", "2002:a9fe:a9fe::1", "cloud metadata"},
		{"0.0.0.0/0,::/0", "169.254.170.2", "cloud metadata"},
		{"0.0.0.0/0,::/0", "100.100.100.200", "cloud metadata"},
		{"0.0.0.0/0,::/0", "fd00:ec2::254", "add fd00:ec2::254/128"},
		{"", "168.63.129.16", "cloud metadata"},
		{"169.254.169.254/32", "169.254.169.254", ""},
		{"fd00:ec2::254/128", "fd00:ec2::254", ""},
		{"168.63.129.16/32", "168.63.129.16", ""},
	} {
		network := "tcp6"
		addr := netip.MustParseAddr(c.addr)
		if addr.Is4() {
			network = "tcp4"
		}
		err := newGuard(open(c.allow)).control(network, netip.AddrPortFrom(addr, 8443).String(), nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("with %q, %s: %v; want %q", c.allow, c.addr, err, c.want)
		}
		var blocked *BlockedError
		if c.want != "" && !errors.As(err, &blocked) {
			t.Errorf("with %q, %s: %v is no BlockedError", c.allow, c.addr, err)
		}
	}
}

func TestClient_BlockedAddressSeesNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", ":0") // every address of this machine, IPv4 and IPv6
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	hosts := []string{"127.0.0.1", "127.1.2.3", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
		"169.254.169.254", "10.0.0.1", "192.168.0.1", "[fe80::1%25lo]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]"}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; ip.IsPrivate() && ip.To4() != nil {
			hosts = append(hosts, ip.String())
		}
	}
	set := NewSet(Settings{})
	for _, host := range hosts {
		for channel, config := range map[models.ChannelType]models.ChannelConfig{
			models.Webhook: &models.WebhookConfig{URL: "http://" + host + ":" + port + "/hook-s3cret"},
			models.Slack:   &models.SlackConfig{WebhookURL: "http://" + host + ":" + port + "/hook-s3cret"},
		} {
			o := set[channel].Send(t.Context(), Notification{Key: "k", Alert: testAlert(), Config: config})
			if o.Result != Permanent || !strings.Contains(o.Error, "EGRESS_ALLOW") || strings.Contains(o.Error, "s3cret") {
				t.Errorf("%s to %s: result %d, %q", channel, host, o.Result, o.Error)
			}
		}
	}
	listener.Close()
	<-done
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// net/http reads the environment once in a process and exempts loopback: hence a process of its own, and a target that is
// a name elsewhere.
func TestClient_IgnoresProxyFromEnvironment(t *testing.T) {
	const child = "TEST_IGNORES_PROXY_CHILD"
	if os.Getenv(child) != "" {
		for _, scheme := range []string{"http", "https"} {
			o := testSet(t)[models.Webhook].Send(t.Context(), Notification{Key: "k", Alert: testAlert(),
				Config: &models.WebhookConfig{URL: scheme + "://receiver.invalid/"}})
			if o.Result != Retry {
				t.Errorf("outcome %+v", o)
			}
		}
		return
	}
	var proxied atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClient_IgnoresProxyFromEnvironment$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1", "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=")
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		cmd.Env = append(cmd.Env, name+"="+proxy)
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	if n := proxied.Load(); n != 0 {
		t.Errorf("%d requests went to the proxy", n)
	}
}
