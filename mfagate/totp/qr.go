package totp

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the width of the white margin that ISO/IEC 18004 asks for.
const quiet = 4

// A QR is a QR code as SVG: <svg viewBox="0 0 Size Size"><path d="Path"/></svg>,
// to be painted black on white. It includes the margin.
type QR struct {
	Size int    // of a side, in modules
	Path string // of the dark modules
}

// newQR draws with error correction level M, which stands 15 % of dirt and
// reflections.
func newQR(content string) (QR, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		// The library's error quotes the content.
		return QR{}, fmt.Errorf("%d bytes are too many", len(content))
	}
	side := code.Bounds().Dx()
	dark := func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	var path strings.Builder
	for y := range side {
		drawRow(&path, side, y, dark)
	}
	return QR{Size: side + 2*quiet, Path: path.String()}, nil
}

func drawRow(path *strings.Builder, side, y int, dark func(x, y int) bool) {
	for x := 0; x < side; {
		end := x
		for end < side && dark(end, y) {
			end++
		}
		if end == x {
			x++
			continue
		}
		fmt.Fprintf(path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, end-x, end-x)
		x = end
	}
}

func (q QR) svg() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="%[2]s"/></svg>`, q.Size, q.Path)
}
