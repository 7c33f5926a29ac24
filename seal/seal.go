// Package seal keeps the secrets of channels unreadable at rest: AES-256-GCM under a key that is not in the database.
//
// It promises: what Seal gives can be opened only with the same key and the same associated data, and any change to it is
// noticed; a key can be replaced while what older keys sealed stays readable. No key and no sealed text appears in an
// error.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// A sealed text is: one byte of format, the key's id, then what cipher.NewGCMWithRandomNonce gives (a nonce of 12 bytes,
// the text, a tag of 16 bytes). Format and key id are authenticated together with the caller's data.
const (
	format     = 1
	keyIDSize  = 8
	headerSize = 1 + keyIDSize
	// Overhead is how many bytes longer a sealed text is than the plain one.
	Overhead = headerSize + 12 + 16
)

// The errors of Open, to be told apart with errors.Is.
var (
	// ErrUnknownKey means that none of the keys at hand sealed this.
	ErrUnknownKey = errors.New("SECRET_KEY is not the key that this was sealed with: name that one in SECRET_KEY_PREVIOUS, or enter the channel's secrets again")
	// ErrTampered means that the sealed text was changed or cut, or belongs to other associated data.
	ErrTampered = errors.New("a sealed secret was changed, or belongs elsewhere: enter the channel's secrets again")
)

// ErrMalformedKey means that a key is not 32 bytes in base64.
var ErrMalformedKey = errors.New("not 32 bytes in base64, as `openssl rand -base64 32` prints them")

// Keyring seals with one key, and opens with that and with former ones. It may be used from several goroutines.
type Keyring struct {
	current keyID
	keys    map[keyID]cipher.AEAD
}

type keyID [keyIDSize]byte

// New makes a Keyring that seals with current and opens what current or one of previous sealed. Each key has KeySize
// bytes of full randomness.
func New(current []byte, previous ...[]byte) (*Keyring, error) {
	k := &Keyring{current: idOf(current), keys: map[keyID]cipher.AEAD{}}
	for _, key := range append([][]byte{current}, previous...) {
		if len(key) != KeySize {
			return nil, fmt.Errorf("a key has %d bytes: %d are needed", len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("preparing a key: %w", err)
		}
		if k.keys[idOf(key)], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("preparing a key: %w", err)
		}
	}
	return k, nil
}

// idOf tells keys apart without giving anything of them away: the key is random and cannot be guessed from its hash.
func idOf(key []byte) keyID {
	sum := sha256.Sum256(key)
	return keyID(sum[:keyIDSize])
}

// Seal makes plain unreadable. Open gives it back for the same ad (associated data) only: with a channel's id in it, one
// channel's secrets cannot be put into another's row.
func (k *Keyring) Seal(plain, ad []byte) []byte {
	header := make([]byte, 0, Overhead+len(plain))
	header = append(append(header, format), k.current[:]...)
	return k.keys[k.current].Seal(header, nil, plain, bound(header, ad))
}

// Open gives back what was sealed with this ad, or an error that wraps ErrUnknownKey or ErrTampered.
func (k *Keyring) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != format {
		return nil, ErrTampered
	}
	header, body := sealed[:headerSize], sealed[headerSize:]
	key, ok := k.keys[keyID(header[1:])]
	if !ok {
		return nil, ErrUnknownKey
	}
	plain, err := key.Open(nil, nil, body, bound(header, ad))
	if err != nil {
		return nil, ErrTampered // the library's error says no more
	}
	return plain, nil
}

// Current reports whether sealed is under the key that Seal uses. When it is not, sealing it anew lets the former key go.
func (k *Keyring) Current(sealed []byte) bool {
	return len(sealed) >= headerSize && sealed[0] == format && bytes.Equal(sealed[1:headerSize], k.current[:])
}

// bound is the associated data that is authenticated: our header has a fixed length, so no two pairs give the same.
func bound(header, ad []byte) []byte { return append(bytes.Clone(header[:headerSize]), ad...) }

// ParseKey reads a key in base64, in the standard or the URL-safe alphabet, with or without padding. Any error is
// ErrMalformedKey.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != KeySize || strings.ContainsAny(text, "\r\n") {
		return nil, ErrMalformedKey
	}
	return key, nil
}

// NewKey makes a random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: it ends the program when the system has no randomness
	return key
}

// LoadOrCreateKeyFile reads the key in the file, or puts a new random one there, readable by its owner only, when there
// is no such file. A file once made is never written again, and when several processes start at once all get the same key.
// A file with anything but a key in it is an error that wraps ErrMalformedKey.
func LoadOrCreateKeyFile(path string) ([]byte, error) {
	key, err := loadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKeyFile(path, NewKey()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("creating the key file: %w", err)
	}
	return loadKeyFile(path) // maybe another process's key: the first one counts
}

func loadKeyFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// createKeyFile writes the key beside the file and links it into place: the file is there whole and on disk, or not at
// all, and one that exists already is left alone (fs.ErrExist).
func createKeyFile(path string, key []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // O_EXCL and 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(encode(key))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = copyKeyFile(path, key) // some file systems know no links
	}
	if err != nil {
		return err
	}
	return syncFolder(dir)
}

// copyKeyFile leaves an existing file alone too, but a crash in between leaves one that is not whole.
func copyKeyFile(path string, key []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(encode(key))
	return errors.Join(err, f.Sync(), f.Close())
}

func encode(key []byte) string { return base64.StdEncoding.EncodeToString(key) + "\n" }

// syncFolder puts the folder's new entry on disk: a key lost in a power cut takes every secret with it.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
