package notifiers

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/rustbucket/alerts/models"
)

func TestNewSet_HasEveryType(t *testing.T) {
	set := NewSet(Settings{})
	for _, channel := range models.ChannelTypes() {
		if set[channel] == nil {
			t.Errorf("%s has no notifier", channel)
		}
	}
}

// What channelTypes gives as the address of a type's page is a file of this repository.
func TestNewSet_EveryTypeHasItsPage(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for channel := range NewSet(Settings{}) {
		page := "docs/channels/" + path.Base(channel.Info().Docs())
		if !strings.HasSuffix(channel.Info().Docs(), page) {
			t.Errorf("%s is said to be at %s", page, channel.Info().Docs())
		}
		if content, err := os.ReadFile("../" + page); err != nil || len(content) == 0 {
			t.Errorf("%s has no page: %v", channel, err)
		}
		if !strings.Contains(string(readme), "("+page+")") {
			t.Errorf("README.md does not name %s", page)
		}
	}
}
