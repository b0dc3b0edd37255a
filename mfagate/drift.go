package mfagate

import (
	"context"
	"fmt"

	"github.com/mfagate/caddy-mfagate/storage"
)

// A Clocked factor knows how far the clock of a credential's device is off this machine's:
// behind it (negative), with it (zero) or ahead (positive). ok is false if nothing is known.
type Clocked interface {
	Factor
	Drift(Credential) (steps int, ok bool)
}

// A Drift counts devices by how their clocks stand to this machine's.
type Drift struct{ Behind, Right, Ahead int }

// maxDrifts bounds how many users are looked at: that many tell enough.
const maxDrifts, driftPart = 10_000, 500

// Drift counts the devices of the first users of the store, 10,000 at most. If most of them are off, it
// is this machine's clock that is wrong.
func (g *Gate) Drift(ctx context.Context) (d Drift, err error) {
	var after string
	for seen := 0; seen < maxDrifts; {
		records, err := g.records.store.List(ctx, kindUser+"/", after, driftPart)
		if err != nil {
			return d, fmt.Errorf("mfagate: reading accounts: %w", err)
		}
		for _, r := range records {
			if err := g.addDrift(&d, r); err != nil {
				return d, err
			}
			after = r.Key
		}
		if seen += len(records); len(records) < driftPart {
			break
		}
	}
	return d, nil
}

func (g *Gate) addDrift(d *Drift, r storage.Record) error {
	var a account
	if err := decode(r.Value, &a); err != nil {
		return fmt.Errorf("mfagate: reading an account: %w", err)
	}
	for _, c := range a.Credentials {
		f, ok := g.factor(c.Factor).(Clocked)
		if !ok {
			continue
		}
		switch steps, known := f.Drift(c); {
		case !known:
		case steps < 0:
			d.Behind++
		case steps > 0:
			d.Ahead++
		default:
			d.Right++
		}
	}
	return nil
}
