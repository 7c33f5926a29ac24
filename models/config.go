package models

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mask stands for a secret wherever a config is shown.
const Mask = "****"

// Limits of a config.
const (
	MaxRecipients  = 100
	MaxHeaders     = 50
	MaxHeaderBytes = 8 << 10 // of one header value
	MaxURLBytes    = 4 << 10
)

// ChannelConfig says where and how a channel sends. One type of config for each ChannelType, always used as a pointer
// and never changed once it stands in a Channel.
type ChannelConfig interface {
	Type() ChannelType
	// Valid returns an Error that names the field at fault below path, or nil.
	Valid(path string) error
	// Masked is a copy that may be shown: every secret in it is masked.
	Masked() ChannelConfig
	// Unmask is a copy in which every value that equals the masked one of old is replaced by old's own. Old is of the same type.
	Unmask(old ChannelConfig) ChannelConfig
	// IsChannelConfig marks the members of the GraphQL union.
	IsChannelConfig()
}

// TypeInfo describes a channel type: all that differs between types, besides how to send.
type TypeInfo struct {
	Type  ChannelType
	Title string // as people write it
	Help  string // what it is, in one or two sentences
	// Fields are those of its config, in the order of a form, by their names in the GraphQL schema.
	Fields []ConfigField
	// NotifyOnResolve says whether its channels are told about a resolve unless somebody decides otherwise: where it closes
	// an incident.
	NotifyOnResolve bool
	// NotifyOnAcknowledge says the same of an acknowledge: where it keeps the incident from being escalated.
	NotifyOnAcknowledge bool
	// Digests says whether it can be told several alerts in one message. Where each alert is an incident of its own it cannot.
	Digests   bool
	RateLimit *RateLimit           // of its channels unless somebody decides otherwise; nil = none
	New       func() ChannelConfig // an empty config, to be filled from JSON
}

// ConfigField describes a field of a config, so that a form can be drawn without knowing the type.
type ConfigField struct {
	Name     string
	Title    string
	Help     string
	Kind     FieldKind
	Required bool
	Secret   bool // shown masked only
	Example  string
}

// Docs is the address of the type's page.
func (t *TypeInfo) Docs() string {
	return "https://github.com/rustbucket/alerts/blob/main/docs/channels/" + strings.ToLower(string(t.Type)) + ".md"
}

// typeInfos are the channel types there are. A new one has its row here.
var typeInfos = []*TypeInfo{&emailType, &slackType, &webhookType, &pagerdutyType, &opsgenieType, &teamsType, &discordType}

// TypeInfos describes every channel type.
func TypeInfos() []*TypeInfo { return typeInfos }

// ChannelTypes lists every type.
func ChannelTypes() []ChannelType {
	types := make([]ChannelType, len(typeInfos))
	for i, t := range typeInfos {
		types[i] = t.Type
	}
	return types
}

// Info describes the type; of an unknown one nothing is known.
func (t ChannelType) Info() *TypeInfo {
	for _, info := range typeInfos {
		if info.Type == t {
			return info
		}
	}
	return &TypeInfo{Type: t, Title: string(t)}
}

// NewConfig gives an empty config of this type, to be filled from JSON.
func NewConfig(t ChannelType) (ChannelConfig, error) {
	info := t.Info()
	if info.New == nil {
		return nil, fmt.Errorf("unknown channel type %q", t)
	}
	return info.New(), nil
}

// retiredConnector says what to do about a URL that Microsoft has switched off.
const retiredConnector = `belongs to a connector of Microsoft Teams, and Microsoft has switched those off: in the Teams channel make a ` +
	`Workflow "When a Teams webhook request is received", and give its URL to a channel of type TEAMS`

// validURL never puts the URL itself into its error: it may be a secret.
func validURL(field, raw string) error {
	if raw == "" {
		return Invalid(field, "is empty: give the whole URL, such as https://example.com/hook")
	}
	if len(raw) > MaxURLBytes {
		return Invalid(field, "is %d bytes; at most %d are allowed", len(raw), MaxURLBytes)
	}
	if strings.Contains(raw, Mask) {
		return Invalid(field, "is masked: give the whole URL")
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Invalid(field, "contains a blank or a control character: leave it out")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return Invalid(field, "is not a URL: give the whole of it, such as https://example.com/hook")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return Invalid(field, "must begin with https:// or http://")
	}
	port, err := strconv.Atoi(u.Port())
	if u.Hostname() == "" || (u.Port() != "" && (err != nil || port < 1 || port > 65535)) {
		return Invalid(field, "has no host, or its port is not 1 to 65535: give the whole URL, such as https://example.com/hook")
	}
	if _, retired := ServiceOf(raw); retired {
		return Invalid(field, "%s", retiredConnector)
	}
	return nil
}

func validKey(path, name, key string, endpoint *string) error {
	field := path + "." + name
	if err := ValidText(field, key, MaxName); err != nil {
		return err
	}
	if key == Mask {
		return Invalid(field, "is masked: give the whole key")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Invalid(field, "contains a blank or a control character: leave it out")
	}
	if endpoint == nil {
		return nil
	}
	return validURL(path+".url", *endpoint)
}

// HostOf is the scheme, host and port that the secrets of a config are sent to, as far as its `url` says so; else it is empty: the
// service's own, or the secret itself.
func HostOf(c ChannelConfig) string {
	text, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	var has struct{ URL string }
	if json.Unmarshal(text, &has) != nil {
		return ""
	}
	u, err := url.Parse(has.URL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// maskURL keeps scheme, host and port. What else there is (user, path, query, fragment) may be a secret.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return Mask
	}
	masked := u.Scheme + "://" + u.Host
	if u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return masked + "/" + Mask
	}
	return masked + u.Path
}

func unmaskURL(given, old string) string {
	if given == maskURL(old) {
		return old
	}
	return given
}

func maskURLPtr(raw *string) *string {
	if raw == nil {
		return nil
	}
	masked := maskURL(*raw)
	return &masked
}

func unmaskURLPtr(given, old *string) *string {
	if given != nil && old != nil && *given == maskURL(*old) {
		return old
	}
	return given
}

func maskKey(key *string) *string {
	if key == nil {
		return nil
	}
	masked := Mask
	return &masked
}

// unmaskKeyPtr leaves a mask that stands for nothing as it is: Valid refuses it.
func unmaskKeyPtr(given, old *string) *string {
	if given != nil && old != nil && *given == Mask {
		return old
	}
	return given
}

func unmaskKey(given, old string) string {
	if given == Mask {
		return old
	}
	return given
}

func pathIndex(path string, i int) string { return path + "." + strconv.Itoa(i) }
