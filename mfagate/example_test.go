package mfagate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
	"github.com/mfagate/caddy-mfagate/storage/memory"
)

// Example puts a second factor in front of an http.Handler, behind a first
// factor of its own. In earnest the store is a sealed one on disk; see packages
// sealed and badger.
func Example() {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "payroll") })

	records, err := mfagate.OpenRecords(context.Background(), new(memory.Store))
	if err != nil {
		panic(err)
	}
	defer records.Close()
	gate, err := mfagate.New(mfagate.Config{
		Records:  records,
		Factors:  []mfagate.Factor{&totp.Factor{}},
		Recovery: &recovery.Factor{},
		Issuer:   "Example Corp",
	})
	if err != nil {
		panic(err)
	}
	block, err := gate.Block(mfagate.BlockConfig{
		Source: mfagate.SourceFunc(func(r *http.Request) (mfagate.Identity, error) {
			name, password, ok := r.BasicAuth()
			if !ok || name != "alice" || password != "secret" {
				return mfagate.Identity{}, mfagate.ErrNoIdentity
			}
			return mfagate.Identity{Name: name}, nil
		}),
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(block.Handler(app))
	defer server.Close()

	r, _ := http.NewRequest("GET", server.URL+"/payslips", nil)
	r.SetBasicAuth("alice", "secret")
	r.Header.Set("Accept", "text/html")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, resp.Header.Get("Location"))
	// Output: 303 /.mfa/enroll?return=%2Fpayslips
}
