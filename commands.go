package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/dispatch"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// errTold ends the program with status 1 when all there is to say was said already.
var errTold = errors.New("said already")

// commands are the words of the command line.
type commands struct {
	Serve   struct{}         `cmd:"" default:"1" help:"Run the server (the default)."`
	Migrate struct{}         `cmd:"" help:"Bring the database up to date and end. The server does this at its start, too."`
	Test    testNotification `cmd:"" name:"test-notification" help:"Send test notifications; exit status 1 when one fails."`
	Token   struct {
		Create createToken `cmd:"" help:"Make a token and print it, alone, on standard output."`
		List   struct{}    `cmd:"" help:"List the tokens, without their secrets."`
		Revoke revokeToken `cmd:"" help:"End a token."`
	} `cmd:"" help:"Make, list and end tokens."`
	Reseal       struct{}         `cmd:"" help:"Seal the channels' secrets anew, under SECRET_KEY alone; SECRET_KEY_PREVIOUS can then go."`
	ImportDjango importDjango     `cmd:"" help:"Take channels and alerts over from the Django registry; exit status 1 when something could not be taken over."`
	Version      kong.VersionFlag `help:"Print the version and end."`
}

type testNotification struct {
	List    bool   `xor:"what" required:"" help:"List the channels."`
	Channel string `xor:"what" required:"" placeholder:"NAME" help:"Test this channel, also when it is switched off."`
	All     bool   `xor:"what" required:"" help:"Test all active channels."`
}

type createToken struct {
	Name    string        `required:"" help:"A name to know the token by."`
	Role    string        `required:"" help:"REPORTER, VIEWER, ANALYST or ADMIN."`
	Alerts  *int          `name:"alerts-per-minute" help:"How many alerts it may create in a minute; left out = no limit."`
	Expires time.Duration `help:"How long it lasts, such as 720h; left out = until it is revoked."`
}

type revokeToken struct {
	Name string `arg:"" help:"The token's name."`
}

func run(args []string) error {
	var words commands
	parser, err := kong.New(&words, kong.Name("rustbucket-alerts"), kong.Vars{"version": version},
		kong.Description("Takes alerts and tells them reliably. Settings come from the environment and .env: see docs/settings.md."))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w (--help lists the commands)", err)
	}
	c, err := loadConfig(os.Environ(), ".env")
	if err != nil {
		return err
	}
	switch ctx := models.WithActor(context.Background(), models.Actor{Name: models.CommandLineName}); parsed.Command() {
	case "serve":
		return serve(c)
	case "migrate":
		return migrate(ctx, c, os.Stdout)
	case "test-notification":
		return withStore(ctx, c, func(s *store.Store) error { return words.Test.run(ctx, c, s, os.Stdout) })
	case "import-django <file>":
		return withStore(ctx, c, func(s *store.Store) error {
			return words.ImportDjango.run(ctx, c, s, os.Stdin, os.Stdout, os.Stderr)
		})
	case "token create":
		return withStore(ctx, c, func(s *store.Store) error { return words.Token.Create.run(ctx, s, os.Stdout) })
	case "token list":
		return withStore(ctx, c, func(s *store.Store) error { return listTokens(ctx, s, os.Stdout) })
	case "token revoke <name>":
		return withStore(ctx, c, func(s *store.Store) error { return s.RevokeToken(ctx, words.Token.Revoke.Name) })
	case "reseal":
		return withStore(ctx, c, func(s *store.Store) error { return reseal(ctx, s, os.Stdout) })
	}
	return fmt.Errorf("unknown command %q", parsed.Command())
}

// withStore opens a database that is set up already; a server may be running on it.
func withStore(ctx context.Context, c config, do func(*store.Store) error) error {
	s, err := openStore(ctx, c, newLogger(c), false)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Current(ctx); err != nil {
		return err
	}
	return do(s)
}

func migrate(ctx context.Context, c config, out io.Writer) error {
	s, err := openStore(ctx, c, newLogger(c), true)
	if err != nil {
		return err
	}
	defer s.Close()
	applied, err := s.Migrate(ctx)
	if err != nil {
		return err
	}
	for _, name := range applied {
		fmt.Fprintln(out, "applied", name)
	}
	fmt.Fprintln(out, "the database is up to date")
	return nil
}

func reseal(ctx context.Context, s *store.Store, out io.Writer) error {
	n, err := s.Reseal(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d channels were sealed anew; all are under SECRET_KEY now\n", n)
	return nil
}

func (t testNotification) run(ctx context.Context, c config, s *store.Store, out io.Writer) error {
	directory := dispatch.NewDirectory(s, newLogger(c))
	if err := directory.Refresh(ctx); err != nil {
		return err
	}
	var channels []*models.Channel
	for _, ch := range directory.All() {
		if t.List || t.All && ch.IsActive || ch.Name == t.Channel {
			channels = append(channels, ch)
		}
	}
	if t.List {
		return listChannels(channels, out)
	}
	if len(channels) == 0 {
		if t.All {
			return errors.New("there is no active channel to test")
		}
		return fmt.Errorf("there is no channel named %q: --list shows them", t.Channel)
	}
	dispatcher := newDispatcher(c, s, directory, nil, newLogger(c))
	failed := false
	for _, r := range dispatcher.TestAll(ctx, channels) {
		mark := "ok    "
		if !r.Success {
			mark, failed = "FAILED", true
		}
		fmt.Fprintf(out, "%s  %s (%s): %s", mark, r.Channel.Name, r.Channel.Type(), oneLine(r.Message))
		if r.StatusCode != nil {
			fmt.Fprintf(out, " [%d]", *r.StatusCode)
		}
		fmt.Fprintf(out, " in %.0f ms\n", r.DurationMs())
	}
	if failed {
		return errTold
	}
	return nil
}

func listChannels(channels []*models.Channel, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tTYPE\tACTIVE\tMIN SEVERITY\tALERT TYPES")
	for _, c := range channels {
		types := "all"
		if len(c.AlertTypes) > 0 {
			types = strings.Join(c.AlertTypes, ", ")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%t\t%s\t%s\n", c.ID, c.Name, c.Type(), c.IsActive, c.MinSeverity, types)
	}
	return w.Flush()
}

func (t createToken) run(ctx context.Context, s *store.Store, out io.Writer) error {
	var role models.Role
	if err := role.UnmarshalGQL(strings.ToUpper(t.Role)); err != nil {
		return fmt.Errorf("--role: %w", err)
	}
	if t.Expires < 0 {
		return errors.New("--expires must be longer than nothing, such as 720h")
	}
	var expires *time.Time
	if t.Expires > 0 {
		at := time.Now().Add(t.Expires)
		expires = &at
	}
	token := &models.Token{Name: t.Name, Role: role, ExpiresAt: expires, AlertsPerMinute: t.Alerts}
	secret, err := access.NewDoorman(s, "", nil).Create(ctx, "--", token)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, secret)
	return nil
}

func listTokens(ctx context.Context, s *store.Store, out io.Writer) error {
	tokens, err := s.Tokens(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tCREATED\tEXPIRES\tLAST USED\tSTATE")
	for _, t := range tokens {
		state, expires := "in use", "never"
		if t.ExpiresAt != nil {
			expires = t.ExpiresAt.Format(time.RFC3339)
			if time.Now().After(*t.ExpiresAt) {
				state = "expired"
			}
		}
		if t.RevokedAt != nil {
			state = "revoked " + t.RevokedAt.Format(time.RFC3339)
		}
		used := "never"
		if t.LastUsedAt != nil {
			used = t.LastUsedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, t.Role, t.CreatedAt.Format(time.RFC3339), expires, used, state)
	}
	return w.Flush()
}

// oneLine keeps a message on one line, whatever a database or a mail server put into it.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
