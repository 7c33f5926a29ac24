package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func keyring(t testing.TB, current []byte, previous ...[]byte) *Keyring {
	t.Helper()
	k, err := New(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyring_OpensWhatItSealed(t *testing.T) {
	k := keyring(t, NewKey())
	for _, plain := range []string{"", "x", strings.Repeat("long secret ", 1000)} {
		sealed := k.Seal([]byte(plain), []byte("7"))
		if len(sealed) != len(plain)+Overhead {
			t.Errorf("%d bytes are sealed in %d, Overhead is %d", len(plain), len(sealed), Overhead)
		}
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the plain text can be read")
		}
		if bytes.Equal(sealed, k.Seal([]byte(plain), []byte("7"))) {
			t.Error("sealing twice gives the same")
		}
		got, err := k.Open(sealed, []byte("7"))
		if err != nil || string(got) != plain {
			t.Errorf("Open gives %q, %v", got, err)
		}
	}
}

func TestKeyring_NoticesEveryChange(t *testing.T) {
	k := keyring(t, NewKey())
	sealed := k.Seal([]byte("secret"), []byte("7"))
	for _, ad := range []string{"", "8", "77"} {
		if _, err := k.Open(sealed, []byte(ad)); !errors.Is(err, ErrTampered) {
			t.Errorf("with associated data %q the error is %v", ad, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		want := ErrTampered
		if i >= 1 && i < headerSize {
			want = ErrUnknownKey
		}
		if _, err := k.Open(changed, []byte("7")); !errors.Is(err, want) {
			t.Errorf("with byte %d changed the error is %v", i, err)
		}
		if _, err := k.Open(sealed[:i], []byte("7")); !errors.Is(err, ErrTampered) {
			t.Errorf("cut to %d bytes the error is %v", i, err)
		}
	}
}

func TestKeyring_Rotates(t *testing.T) {
	former, now := NewKey(), NewKey()
	sealed := keyring(t, former).Seal([]byte("secret"), nil)
	rotated := keyring(t, now, former)
	if got, err := rotated.Open(sealed, nil); err != nil || string(got) != "secret" {
		t.Errorf("with the former key on the ring Open gives %q, %v", got, err)
	}
	if rotated.Current(sealed) || !rotated.Current(rotated.Seal(nil, nil)) {
		t.Error("Current does not tell the keys apart")
	}
	_, err := keyring(t, now).Open(sealed, nil)
	if !errors.Is(err, ErrUnknownKey) || !strings.Contains(err.Error(), "SECRET_KEY") {
		t.Errorf("without the former key the error is %v", err)
	}
}

func TestNew_RefusesKeysOfAnotherLength(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := New(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
		if _, err := New(NewKey(), make([]byte, n)); err == nil {
			t.Errorf("a former key of %d bytes was taken", n)
		}
	}
}

func TestParseKey(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb, 0xff}, KeySize/2) // has both characters in which the alphabets differ
	for name, text := range map[string]string{
		"standard":              base64.StdEncoding.EncodeToString(key),
		"without padding":       base64.RawStdEncoding.EncodeToString(key),
		"URL-safe":              base64.URLEncoding.EncodeToString(key),
		"URL-safe, no padding":  base64.RawURLEncoding.EncodeToString(key),
		"with blanks around it": " " + base64.StdEncoding.EncodeToString(key) + "\r\n",
	} {
		if got, err := ParseKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"too short":    base64.StdEncoding.EncodeToString(key[:31]),
		"too long":     base64.StdEncoding.EncodeToString(append(key, 1)),
		"not base64":   strings.Repeat("!", 44),
		"in hex":       strings.Repeat("0f", KeySize),
		"a line break": base64.StdEncoding.EncodeToString(key)[:20] + "\n" + base64.StdEncoding.EncodeToString(key)[20:],
	} {
		_, err := ParseKey(text)
		if !errors.Is(err, ErrMalformedKey) {
			t.Errorf("%s: the error is %v", name, err)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func FuzzKeyring_OpenNeverPanics(f *testing.F) {
	k := keyring(f, NewKey())
	f.Add([]byte{}, []byte("7"))
	f.Add(k.Seal([]byte("secret"), []byte("8")), []byte("7"))
	f.Fuzz(func(t *testing.T, sealed, ad []byte) {
		// The seed is sealed for "8" alone, which no ad can be that starts with something else.
		if _, err := k.Open(sealed, append([]byte("x"), ad...)); err == nil {
			t.Error("something that was never sealed was opened")
		}
	})
}

func TestLoadOrCreateKeyFile_MakesOneKeyForAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	keys := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = LoadOrCreateKeyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if len(key) != KeySize || !bytes.Equal(key, keys[0]) {
			t.Fatal("the processes do not have the same key")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left in the folder", len(files))
	}
}

func TestLoadOrCreateKeyFile_LeavesABrokenFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	for _, text := range []string{"", "half a k"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateKeyFile(path)
		if !errors.Is(err, ErrMalformedKey) || !strings.Contains(err.Error(), path) {
			t.Errorf("the error is %v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Error("the file was written over")
		}
	}
}

func TestLoadOrCreateKeyFile_SaysWhyItCannot(t *testing.T) {
	if _, err := LoadOrCreateKeyFile(filepath.Join(t.TempDir(), "missing", "secret.key")); err == nil {
		t.Error("a key was made in a folder that does not exist")
	}
}

func TestCopyKeyFile_WritesOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	key := NewKey()
	if err := copyKeyFile(path, key); err != nil {
		t.Fatal(err)
	}
	if err := copyKeyFile(path, NewKey()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second time the error is %v", err)
	}
	if got, err := LoadOrCreateKeyFile(path); err != nil || !bytes.Equal(got, key) {
		t.Errorf("the key does not come back: %v", err)
	}
}
