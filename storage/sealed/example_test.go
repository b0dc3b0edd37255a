package sealed_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mfagate/caddy-mfagate/storage"
	"github.com/mfagate/caddy-mfagate/storage/badger"
	"github.com/mfagate/caddy-mfagate/storage/sealed"
)

// A server keeps its records in a folder and the keyset beside it.
func Example() {
	ctx := context.Background()
	data, err := os.MkdirTemp("", "data-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)

	db, err := badger.Open(filepath.Join(data, "db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	keyset, err := sealed.OpenKeyset(ctx, filepath.Join(data, "keyset.json"), db)
	if err != nil {
		fmt.Println(err)
		return
	}
	store := sealed.New(db, keyset)
	defer store.Close()

	err = store.Apply(ctx, storage.Change{Key: "credential/intranet/alice/1", Value: []byte("seed")})
	if err != nil {
		fmt.Println(err)
	}
	r, err := store.Get(ctx, "credential/intranet/alice/1")
	fmt.Printf("%s %v\n", r.Value, err)
	// Output: seed <nil>
}
