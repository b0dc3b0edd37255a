package badger

import "github.com/dgraph-io/badger/v4"

// Compact makes deleted records leave the files of a closed database.
func Compact(dir string) error {
	db, err := badger.Open(Options{Dir: dir}.engine().WithCompactL0OnClose(true))
	if err != nil {
		return err
	}
	return db.Close()
}
