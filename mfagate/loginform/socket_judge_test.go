package loginform

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// First bytes of frames.
const (
	textStart, binaryStart, goesOn, goesOnLast = 0x01, 0x02, 0x00, 0x80
	wholeText, wholeBinary, ping, bye          = 0x81, 0x82, 0x89, 0x88
)

// judging is a form whose app reads tokens at /auth.
func judging(t testing.TB) *Form {
	t.Helper()
	f, err := Compile(Config{
		Page: []Pattern{{Text: "GET /login"}}, Submit: []Pattern{{Text: "POST /login"}},
		User: Field{Form: "user"}, Password: Field{Form: "password"}, Success: []Signs{{Status: []string{"200"}}},
		Bearer:         &Bearer{JSON: "/token"},
		WebSocketToken: &WebSocketToken{JSON: []string{"/auth"}, Except: []Pattern{{Text: "GET /chat/**"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A said is a message as an app has it, or a control frame.
type said struct {
	op   byte
	text string
}

// appReader reads frames of a browser's as RFC 6455 has it, and puts fragments together.
type appReader struct {
	b    []byte
	op   byte
	text string
}

var errNoFrame = errors.New("not a frame of a browser's")

func (a *appReader) take(n int) ([]byte, error) {
	if n > len(a.b) {
		return nil, io.ErrUnexpectedEOF
	}
	p := a.b[:n]
	a.b = a.b[n:]
	return p, nil
}

// frame reads one, with its payload.
func (a *appReader) frame() (final bool, op byte, payload string, err error) {
	head, err := a.take(2)
	if err != nil {
		return false, 0, "", err
	}
	size := int(head[1] & 0x7f)
	if more := map[int]int{126: 2, 127: 8}[size]; more > 0 {
		b, err := a.take(more)
		if err != nil {
			return false, 0, "", err
		}
		size = 0
		for _, c := range b {
			size = size<<8 | int(c)
		}
	}
	mask, err := a.take(4)
	if err != nil || head[1]&0x80 == 0 || head[0]&0x70 != 0 || size < 0 {
		return false, 0, "", errors.Join(errNoFrame, err)
	}
	b, err := a.take(size)
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ mask[i%4]
	}
	return head[0]&0x80 != 0, head[0] & 0x0f, string(out), err
}

// all reads to the end.
func (a *appReader) all() (all []said, err error) {
	for len(a.b) > 0 {
		final, op, payload, err := a.frame()
		switch {
		case err != nil:
			return all, err
		case op >= 8:
			all = append(all, said{op, payload})
			continue
		case (op == 0) == (a.op == 0):
			return all, errNoFrame
		case op != 0:
			a.op, a.text = op, ""
		}
		if a.text += payload; final {
			all = append(all, said{a.op, a.text})
			a.op = 0
		}
	}
	if a.op != 0 {
		return all, io.ErrUnexpectedEOF
	}
	return all, nil
}

// judge returns what an app reads of what was sent, and the code with which the connection ends; 0 if the browser ends it.
func judge(t testing.TB, r io.Reader, open func(string) (string, bool)) (out []byte, code uint16) {
	t.Helper()
	out, err := io.ReadAll(judging(t).JudgeTokens(r, open))
	var fault *SocketError
	switch {
	case errors.As(err, &fault):
		return out, fault.Code
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		t.Fatal(err)
	}
	return out, 0
}

func heard(t testing.TB, sent ...[]byte) (all []said, code uint16) {
	t.Helper()
	out, code := judge(t, iotest.OneByteReader(bytes.NewReader(bytes.Join(sent, nil))), opensA)
	all, err := (&appReader{b: out}).all()
	if err != nil {
		t.Fatalf("the app reads %q: %v", out, err)
	}
	return all, code
}

func TestJudgedSocketPassesJSONAndOpensTokensInIt(t *testing.T) {
	opened := said{1, `{"auth":"token-of-alice"}`}
	own := `{"auth":"` + sealedA + `"}`
	long := `{"text":"` + strings.Repeat("x", 70_000) + `"}`
	full := `"` + strings.Repeat("x", MaxSocketMessage-2) + `"`
	for what, c := range map[string]struct {
		sent [][]byte
		want []said
	}{
		"a token":                      {[][]byte{frame(wholeText, own)}, []said{opened}},
		"a token with claims":          {[][]byte{frame(wholeText, `{"auth":"`+claimedA+`"}`)}, []said{opened}},
		"an escape in the name":        {[][]byte{frame(wholeText, `{"\u0061uth":"`+sealedA+`"}`)}, []said{opened}},
		"binary":                       {[][]byte{frame(wholeBinary, own)}, []said{{2, opened.text}}},
		"fragments":                    {[][]byte{frame(textStart, own[:9]), frame(goesOn, own[9:40]), frame(goesOnLast, own[40:])}, []said{opened}},
		"empty fragments":              {[][]byte{frame(textStart, ""), frame(goesOn, ""), frame(goesOnLast, own)}, []said{opened}},
		"a ping between fragments":     {[][]byte{frame(textStart, own[:9]), frame(ping, "still there?"), frame(goesOnLast, own[9:])}, []said{{9, "still there?"}, opened}},
		"a second token":               {[][]byte{frame(wholeText, own), frame(wholeText, own)}, []said{opened, opened}},
		"other members":                {[][]byte{frame(wholeText, ` {"a": [1e3, "\u00e9"],"auth":"`+sealedA+`"}`)}, []said{{1, `{"a":[1e3,"é"],"auth":"token-of-alice"}`}}},
		"the name elsewhere":           {[][]byte{frame(wholeText, `{"set": {"auth":"x"}, "t": ["auth"]}`)}, []said{{1, `{"set": {"auth":"x"}, "t": ["auth"]}`}}},
		"no object":                    {[][]byte{frame(wholeText, `"auth"`), frame(wholeText, `7`), frame(wholeText, `["auth","x"]`)}, []said{{1, `"auth"`}, {1, `7`}, {1, `["auth","x"]`}}},
		"a long message":               {[][]byte{frame(wholeText, long)}, []said{{1, long}}},
		"the longest message":          {[][]byte{frame(wholeText, full)}, []said{{1, full}}},
		"a close frame without status": {[][]byte{frame(bye, "")}, []said{{8, ""}}},
		"a close frame":                {[][]byte{frame(bye, "\x03\xe8bye")}, []said{{8, "\x03\xe8bye"}}},
	} {
		got, code := heard(t, c.sent...)
		if code != 0 || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %.200q and %d; want %.200q", what, got, code, c.want)
		}
	}
}

// What could bring an app a token that is not the session's own ends the connection, and
// nothing of that message reaches the app.
func TestJudgedSocketEndsWithWhatIsNotTheSessionsOwn(t *testing.T) {
	const raw = "raw-token-of-vic"
	foreign := `{"auth":"` + raw + `"}`
	before := frame(wholeText, `{"subscribe":"x"}`)
	many := bytes.Repeat(before, 20)
	for what, sent := range map[string][][]byte{
		"a raw token":                         {frame(wholeText, foreign)},
		"a token of another session":          {frame(wholeText, `{"auth":"`+sealedB+`"}`)},
		"a raw token in binary":               {frame(wholeBinary, foreign)},
		"a raw token in fragments":            {frame(textStart, foreign[:12]), frame(goesOnLast, foreign[12:])},
		"a fragment in binary":                {frame(binaryStart, foreign[:3]), frame(ping, ""), frame(goesOn, foreign[3:5]), frame(goesOnLast, foreign[5:])},
		"a late message":                      {many, frame(wholeText, foreign)},
		"a padded message":                    {frame(wholeText, foreign+strings.Repeat(" ", 20<<10))},
		"padding before":                      {frame(wholeText, strings.Repeat(" ", 20<<10)+foreign)},
		"after the own":                       {frame(wholeText, `{"auth":"`+sealedA+`"}`), frame(wholeText, foreign)},
		"the own in the same message":         {frame(wholeText, `{"auth":"`+sealedA+`","auth":"`+raw+`"}`)},
		"the own last":                        {frame(wholeText, `{"auth":"`+raw+`","auth":"`+sealedA+`"}`)},
		"an escape in the name":               {frame(wholeText, `{"\u0061uth":"`+raw+`"}`)},
		"capitals":                            {frame(wholeText, `{"AUTH":"`+raw+`"}`)},
		"a NUL after the name":                {frame(wholeText, "{\"auth\u0000\":\""+raw+`"}`)},
		"a prototype":                         {frame(wholeText, `{"__proto__":`+foreign+`}`)},
		"a list":                              {frame(wholeText, `{"auth":["`+raw+`"]}`)},
		"an object":                           {frame(wholeText, `{"auth":{"toString":"`+raw+`"}}`)},
		"null":                                {frame(wholeText, `{"auth":null}`)},
		"the empty text":                      {frame(wholeText, `{"auth":""}`)},
		"the own in clear":                    {frame(wholeText, `{"auth":"token-of-alice"}`)},
		"something before the own":            {frame(wholeText, `{"auth":" `+sealedA+`"}`)},
		"a mark of the order of bytes":        {frame(wholeText, "\ufeff"+foreign)},
		"UTF-16":                              {frame(wholeBinary, "{\x00\"\x00a\x00")},
		"bytes that are no UTF-8":             {frame(wholeBinary, `{"auth`+"\xff"+`":"`+raw+`"}`)},
		"a comment":                           {frame(wholeText, `{/**/"auth":"`+raw+`"}`)},
		"a name without quotation marks":      {frame(wholeText, `{auth:"`+raw+`"}`)},
		"single ones":                         {frame(wholeText, `{'auth':'`+raw+`'}`)},
		"two documents":                       {frame(wholeText, `{}`+foreign)},
		"a NUL between two":                   {frame(wholeText, "{} \x00"+foreign)},
		"no number":                           {frame(wholeText, `{"a":NaN,"auth":"`+raw+`"}`)},
		"a bracket too much":                  {frame(wholeText, foreign+"}")},
		"too deep":                            {frame(wholeText, strings.Repeat("[", 40)+strings.Repeat("]", 40))},
		"too many values":                     {frame(wholeText, "["+strings.Repeat("1,", socketValues)+"1]")},
		"a message of Socket.IO":              {frame(wholeText, `42["auth",`+foreign+`]`)},
		"nothing":                             {frame(wholeText, "")},
		"half of a pair":                      {frame(wholeText, `{"a":"\ud800","auth":"`+raw+`"}`)},
		"a comma at the end":                  {frame(wholeText, `{"auth":"`+raw+`",}`)},
		"a raw token after empty fragments":   {frame(textStart, ""), frame(goesOn, ""), frame(goesOnLast, foreign)},
		"a raw token after the browser's end": {frame(bye, "\x03\xe8"), frame(wholeText, foreign)},
	} {
		got, code := heard(t, sent...)
		if code != closePolicy {
			t.Errorf("%s: the connection ends with %d; want %d", what, code, closePolicy)
		}
		if all := fmt.Sprint(got); strings.Contains(all, raw) || strings.Contains(all, sealedB) {
			t.Errorf("%s: the app hears %.200q", what, all)
		}
	}
}

func TestJudgedSocketEndsWithFramesThatAreNone(t *testing.T) {
	half := frame(textStart, `{"a`)
	for what, c := range map[string]struct {
		code uint16
		sent [][]byte
	}{
		"no mask":                      {closeProtocol, [][]byte{{wholeText, 2, '{', '}'}}},
		"a ping without a mask":        {closeProtocol, [][]byte{{ping, 0}}},
		"a compressed message":         {closeProtocol, [][]byte{frame(0xc1, "\xaaV*")}},
		"the second reserved bit":      {closeProtocol, [][]byte{frame(0xa1, "{}")}},
		"the third":                    {closeProtocol, [][]byte{frame(0x91, "{}")}},
		"a reserved bit within":        {closeProtocol, [][]byte{half, frame(0xc0, `":1}`)}},
		"a reserved bit of a ping":     {closeProtocol, [][]byte{frame(0xc9, "")}},
		"an unknown message":           {closeProtocol, [][]byte{frame(0x83, "{}")}},
		"an unknown control frame":     {closeProtocol, [][]byte{frame(0x8b, "{}")}},
		"a continuation of nothing":    {closeProtocol, [][]byte{frame(goesOnLast, "{}")}},
		"one after a whole message":    {closeProtocol, [][]byte{frame(wholeText, "{}"), frame(goesOn, "{}")}},
		"a message within another one": {closeProtocol, [][]byte{half, frame(wholeText, "{}")}},
		"a ping in fragments":          {closeProtocol, [][]byte{frame(0x09, "")}},
		"a long ping":                  {closeProtocol, [][]byte{frame(ping, strings.Repeat("x", 126))}},
		"half a status":                {closeProtocol, [][]byte{frame(bye, "x")}},
		"a short length in two bytes":  {closeProtocol, [][]byte{{wholeText, 0x80 | 126, 0, 2, 0, 0, 0, 0, '{', '}'}}},
		"a short length in eight":      {closeProtocol, [][]byte{{wholeText, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, '{', '}'}}},
		"a length below zero":          {closeProtocol, [][]byte{{wholeText, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
		"the greatest length":          {closeTooBig, [][]byte{{wholeText, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}}},
		"a byte too much":              {closeTooBig, [][]byte{frame(wholeText, `"`+strings.Repeat("x", MaxSocketMessage-1)+`"`)}},
		"a byte too much in fragments": {closeTooBig, [][]byte{frame(textStart, `"`+strings.Repeat("x", MaxSocketMessage-1)), frame(goesOnLast, `"`)}},
	} {
		if got, code := heard(t, c.sent...); code != c.code || len(got) > 1 {
			t.Errorf("%s: the connection ends with %d and the app hears %.100q; want %d", what, code, got, c.code)
		}
	}
}

// A browser that goes away in the midst of a message has said nothing.
func TestJudgedSocketThatIsCutShortSaysNothingOfTheRest(t *testing.T) {
	whole := frame(wholeText, `{"auth":"`+sealedA+`"}`)
	for n := range whole {
		if got, code := heard(t, whole[:n]); len(got) > 0 || code != 0 {
			t.Fatalf("after %d bytes the app hears %q (%d)", n, got, code)
		}
	}
	_, err := io.ReadAll(judging(t).JudgeTokens(bytes.NewReader(whole[:3]), opensA))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("within a frame it ends with %v; want %v", err, io.ErrUnexpectedEOF)
	}
}

// A frame that says it is long takes no memory before it comes.
func TestJudgedSocketBelievesNoLength(t *testing.T) {
	head := binary.BigEndian.AppendUint64([]byte{textStart, 0x80 | 127}, MaxSocketMessage)
	r := judging(t).JudgeTokens(bytes.NewReader(append(head, 0, 0, 0, 0, 'x')), opensA)
	if _, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v; want %v", err, io.ErrUnexpectedEOF)
	}
	if j, ok := r.(*socketJudge); !ok || j.text.Cap() > 64<<10 {
		t.Errorf("a byte of a long message takes %d bytes", j.text.Cap())
	}
}

func TestSocketErrorIsAWholeCloseFrame(t *testing.T) {
	for _, fault := range []*SocketError{{closeProtocol, "a length is written as none is"}, {closePolicy, "a message has the token's name in another spelling"}} {
		b := fault.CloseFrame()
		if b[0] != 0x88 || int(b[1]) != len(b)-2 || b[1] > maxControl || binary.BigEndian.Uint16(b[2:]) != fault.Code {
			t.Errorf("got %x", b)
		}
		var track FrameTrack
		for i, c := range b {
			if got := track.Between(); got != (i == 0) {
				t.Errorf("between frames after %d of %d bytes: %v", i, len(b), got)
			}
			track.Follow([]byte{c})
		}
		if !track.Between() {
			t.Error("after a whole frame another one must not begin")
		}
	}
}

// A frame must not be taken for the beginning of one in the midst of its payload.
func TestFramesOfAnAppAreFollowed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var stream []byte
		begins := map[int]bool{0: true}
		for range 1 + random.IntN(6) {
			size := []int{0, 1, 125, 126, 127, 65_535, 65_536, 70_000}[random.IntN(8)]
			if f := frame(wholeBinary, strings.Repeat("\x81", size)); random.IntN(2) == 0 {
				stream = append(stream, f...)
			} else { // as servers send it
				head := len(f) - size - 4
				f[1] &^= 0x80
				stream = append(append(stream, f[:head]...), f[head+4:]...)
			}
			begins[len(stream)] = true
		}
		var track FrameTrack
		for at := 0; at < len(stream); {
			if track.Between() != begins[at] {
				t.Fatalf("at %d of %d: between frames: %v", at, len(stream), track.Between())
			}
			n := min(1+random.IntN(9000), len(stream)-at)
			track.Follow(stream[at : at+n])
			at += n
		}
		if !track.Between() {
			t.Fatal("not between frames at the end")
		}
	}
}

func TestSocketsThatAreJudged(t *testing.T) {
	f := judging(t)
	for uri, want := range map[string]bool{"/comms": true, "/chat/x": false, "/chat/../comms": true, "/chat/x?y=1": true, "/CHAT/x": true, "//chat/x": true} {
		r, err := http.NewRequest(http.MethodGet, "http://x"+uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.JudgesSocket(r); got != want {
			t.Errorf("%s is judged: %v; want %v", uri, got, want)
		}
		r.Method = http.MethodConnect
		if !f.JudgesSocket(r) {
			t.Errorf("CONNECT %s is not judged", uri)
		}
	}
	if f := new(Form); f.JudgesSocket(&http.Request{}) {
		t.Error("without the option a socket is judged")
	}
}

func TestSocketTokenThatWillNotDo(t *testing.T) {
	for want, token := range map[string]*WebSocketToken{
		"write a JSON pointer": {},
		"must begin with":      {JSON: []string{"auth"}},
		"except":               {JSON: []string{"/auth"}, Except: []Pattern{{Text: "POST /chat"}}},
		"session bearer":       {JSON: []string{"/auth"}},
	} {
		c := judging(t).Config()
		if c.WebSocketToken = token; want == "session bearer" {
			c.Bearer = nil
		}
		if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v; want a word of %q", token, err, want)
		}
	}
}

// FuzzJudgeTokens sends anything to an app, which reads it by the standard and by another
// parser of JSON.
func FuzzJudgeTokens(f *testing.F) {
	own, foreign := `{"auth":"`+sealedA+`"}`, `{"auth":"raw-token-of-vic"}`
	for _, sent := range [][]byte{
		frame(wholeText, own), frame(wholeBinary, foreign), frame(0xc1, own), frame(0x8b, ""), {wholeText, 0x80 | 126, 0, 1, 0, 0, 0, 0, '1'},
		bytes.Join([][]byte{frame(textStart, own[:5]), frame(ping, "p"), frame(goesOnLast, own[5:]), frame(wholeText, foreign)}, nil),
		bytes.Join([][]byte{frame(textStart, foreign[:5]), frame(goesOn, foreign[5:9]), frame(goesOnLast, foreign[9:])}, nil),
		bytes.Join([][]byte{frame(wholeText, `{"subscribe":"a"}`), frame(wholeText, `{"auth":"x","auth":"`+sealedA+`"}`)}, nil),
		bytes.Join([][]byte{frame(wholeText, `{"\u0061uth":"`+sealedA+`"}`), frame(wholeText, `{"Auth":"x"}`), frame(bye, "\x03\xe8")}, nil),
	} {
		f.Add(sent, uint64(1))
	}
	f.Fuzz(func(t *testing.T, sent []byte, seed uint64) {
		var issued []string
		open := func(sealed string) (string, bool) {
			if sealed != sealedA {
				return "", false
			}
			issued = append(issued, fmt.Sprint("opened-", len(issued)))
			return issued[len(issued)-1], true
		}
		out, code := judge(t, bytes.NewReader(sent), open)
		wantJudged(t, sent, out, issued)
		random := rand.New(rand.NewPCG(seed, 1))
		issued = nil
		again, sameCode := judge(t, &inPieces{sent, random}, open)
		if !bytes.Equal(out, again) || code != sameCode {
			t.Fatalf("in pieces: got %q and %d; want %q and %d", again, sameCode, out, code)
		}
		issued = nil
		cut := random.IntN(len(sent) + 1)
		if part, _ := judge(t, bytes.NewReader(sent[:cut]), open); !bytes.HasPrefix(out, part) {
			t.Fatalf("after %d bytes: got %q; want the beginning of %q", cut, part, out)
		}
	})
}

// wantJudged wants all that the app reads to be what was sent, and the tokens in it to have been opened.
func wantJudged(t *testing.T, sent, out []byte, issued []string) {
	t.Helper()
	got, err := (&appReader{b: out}).all()
	if err != nil {
		t.Fatalf("the app reads %q: %v", out, err)
	}
	var tokens []string
	given, _ := (&appReader{b: sent}).all()
	if len(got) > len(given) {
		t.Fatalf("the app hears %q; sent was %q", got, given)
	}
	var messages, heard []said
	for _, m := range given {
		if m.op < 8 {
			messages = append(messages, m)
		}
	}
	for _, m := range got {
		if m.op < 8 {
			heard = append(heard, m)
		}
	}
	for i, m := range heard {
		var value, was any
		if json.Unmarshal([]byte(m.text), &value) != nil || json.Unmarshal([]byte(messages[i].text), &was) != nil || m.op != messages[i].op {
			t.Fatalf("the app hears %q; sent was %q", m, messages[i])
		}
		if object, ok := value.(map[string]any); ok {
			for name, value := range object {
				if !strings.EqualFold(name, "auth") {
					continue
				}
				token, _ := value.(string)
				tokens = append(tokens, token)
				was.(map[string]any)["auth"] = token
			}
		}
		if !reflect.DeepEqual(value, was) {
			t.Fatalf("the app hears %q; sent was %q", m.text, messages[i].text)
		}
		wantOneReading(t, m.text)
	}
	if fmt.Sprint(tokens) != fmt.Sprint(issued) {
		t.Fatalf("the app takes %q for tokens; opened were %q", tokens, issued)
	}
}

// wantOneReading wants no name to be twice in an object.
func wantOneReading(t *testing.T, text string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	var value func()
	value = func() {
		opening, err := d.Token()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if delim, ok := opening.(json.Delim); !ok || delim == ']' || delim == '}' {
			return
		}
		seen := make(map[string]bool)
		for d.More() {
			if opening == json.Delim('{') {
				name, _ := d.Token()
				low := strings.ToLower(fmt.Sprint(name))
				if seen[low] {
					t.Fatalf("%q has two members %q", text, low)
				}
				seen[low] = true
			}
			value()
		}
		_, _ = d.Token() // the end, which More has seen
	}
	value()
}

// inPieces reads as many bytes at a time as chance has it.
type inPieces struct {
	rest   []byte
	random *rand.Rand
}

func (p *inPieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1+p.random.IntN(7))], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
