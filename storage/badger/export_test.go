package badger

// Flatten compacts the database, so that deleted records leave the files.
func (s *Store) Flatten() error { return s.db.Flatten(1) }
