package export

import "testing"

func TestPage_HasNoFormulasInWhateverWayItIsCut(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain, text; and more": "plain, text; and more", "a=b+c-d@e": "a=b+c-d@e", "a ;b": "a ;b",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@A1": "'@A1", "＝1": "'＝1", "\tx": "'\tx", "\nx": "'\nx",
		"hi;=cmd|' /C calc'!A0": "hi;'=cmd|' /C calc'!A0", "hi; \"=1": "hi; \"'=1", "a\n=1": "a\n'=1", "a\r\n+1": "a\r\n'+1", "a\t@b": "a\t'@b",
		` "=1`: ` "'=1`, "x;＠1": "x;'＠1", "\t=1": "'\t'=1",
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
