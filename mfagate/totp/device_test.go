package totp_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

// tool returns the path of a program that stands for the person's device.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("MFAGATE_REQUIRE") == "all" {
		t.Fatalf("%s is missing (Debian package %s), and MFAGATE_REQUIRE=all", name, debian)
	}
	t.Skipf("%s is missing (Debian package %s)", name, debian)
	return ""
}

func TestQRByZbarimg(t *testing.T) {
	zbarimg := tool(t, "zbarimg", "zbar-tools")
	for _, name := range []struct{ issuer, account string }{
		{"Example Corp", "alice"},
		{"Evil:Corp?x&secret=AAAA", "a:b\nc"},
		{"Größe & Söhne", "日本 太郎"},
		{strings.Repeat("日", 22), strings.Repeat("本", 22)},
	} {
		v := view(t, name.issuer, name.account)
		file := filepath.Join(t.TempDir(), "qr.png")
		if err := os.WriteFile(file, paint(t, v.QR), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), zbarimg, "--quiet", "--raw", file).Output()
		if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != string(v.URL) {
			t.Errorf("zbarimg: got %q, error %v; want %q", got, err, v.URL)
		}
	}
}

// paint reads the SVG path and returns it as a PNG, four pixels a module.
func paint(t *testing.T, q totp.QR) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 4*q.Size, 4*q.Size))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	for run := range strings.SplitSeq(strings.TrimSuffix(q.Path, "z"), "z") {
		var x, y, width, back int
		if n, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &width, &back); n != 4 || width != back {
			t.Fatalf("got run %q, error %v; want a row", run, err)
		}
		if x < 4 || y < 4 || x+width > q.Size-4 || y >= q.Size-4 {
			t.Fatalf("got run %q of %d; want a margin of four", run, q.Size)
		}
		for py := 4 * y; py < 4*y+4; py++ {
			for px := 4 * x; px < 4*(x+width); px++ {
				img.SetGray(px, py, color.Gray{})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestQRPathIsSmall(t *testing.T) {
	v := view(t, "Example Corp", "alice@example.com")
	if got := len(v.QR.Path); got > 12<<10 {
		t.Errorf("got a path of %d bytes; want at most 12 KiB", got)
	}
	if !strings.HasPrefix(v.SVG, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `) || !strings.Contains(v.SVG, v.QR.Path) {
		t.Errorf("got SVG %.80q; want a picture of the path", v.SVG)
	}
}

// TestCodesByOathtool signs in with codes that another program made.
func TestCodesByOathtool(t *testing.T) {
	oathtool := tool(t, "oathtool", "oathtool")
	for _, f := range []totp.Factor{
		{}, {Digits: 8}, {Algorithm: totp.SHA256}, {Algorithm: totp.SHA512, Digits: 8, Period: time.Minute},
	} {
		p := enrolled(t, f)
		key := p.phone.key
		for range 5 {
			p.now = p.now.Add(1000 * time.Hour)
			out, err := exec.CommandContext(t.Context(), oathtool, "--totp="+key.Algorithm().String(), "-b", key.Secret(),
				"-d", key.Digits().String(), "-s", fmt.Sprintf("%ds", key.Period()), "-N", fmt.Sprintf("@%d", p.now.Unix())).Output()
			if err != nil {
				t.Fatalf("oathtool: %v", err)
			}
			p.want("code of oathtool", p.types(strings.TrimSpace(string(out))), nil)
		}
		p.want("wrong code", p.types(strings.Repeat("0", int(key.Digits()))), mfagate.ErrRejected)
	}
}
