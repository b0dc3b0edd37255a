package sealed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Save writes the keyset to the file at path, mode 0600, in place of the
// file that is there. After a crash the file is either the old one or the new
// one. The folder is made, mode 0700, if need be.
func (k *Keyset) Save(path string) error {
	if err := k.write(path, os.Rename); err != nil {
		return fmt.Errorf("keyset file %s: %w", path, err)
	}
	return nil
}

// write makes a temporary file and then gives it its name by place, which is
// os.Rename, or os.Link to leave a file that is already there.
func (k *Keyset) write(path string, place func(from, to string) error) error {
	content, err := k.encode()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".keyset-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := place(temp.Name(), path); err != nil {
		return err
	}
	// The folder may be new too; its parent need not be readable.
	_ = syncDir(filepath.Dir(dir))
	return syncDir(dir)
}

// syncDir makes the names in a folder survive the loss of power. Windows cannot
// and need not.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func read(path string) (*Keyset, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("other users may read it (mode %04o): chmod 600 %s", mode, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decode(content)
}
