package badger

import (
	"errors"
	"fmt"
)

// ErrDiskFull reports that too little space is left to write safely. Nothing
// was changed.
var ErrDiskFull = errors.New("badger: disk is full")

// leastSpace is room for the memory tables and their logs to reach the disk,
// and for a compaction beside them.
const leastSpace = 64 << 20

func checkSpace(free func() (bytes uint64, known bool)) error {
	if n, known := free(); known && n < leastSpace {
		return fmt.Errorf("%w: %d MiB are free, %d MiB are needed", ErrDiskFull, n>>20, leastSpace>>20)
	}
	return nil
}
