package caddymodule

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func keysCommand() *cobra.Command {
	cmd := newCommand("keys", "Tells of the keyset; below it: rotate, reseal", 0, func(l commandLine) error {
		var keys keyProgress
		if err := l.call(http.MethodGet, "/mfa/keys", nil, &keys); err != nil {
			return err
		}
		return l.showKeys(keys)
	})
	rotate := newCommand("keys rotate [--yes]", "Makes a new primary key and seals all records anew", 0, cmdRotate)
	rotate.Use = "rotate [--yes]"
	rotate.Flags().BoolP("yes", "y", false, "Do not ask")
	reseal := newCommand("keys reseal", "Seals anew what an earlier rotation has left", 0, func(l commandLine) error {
		return l.changeKeys("/mfa/keys/reseal")
	})
	reseal.Use = "reseal"
	cmd.AddCommand(rotate, reseal)
	return cmd
}

func cmdRotate(l commandLine) error {
	if err := l.ask("Make a new key, with which everything is sealed from now on? The keyset file changes: copy it to your safe place again."); err != nil {
		return err
	}
	return l.changeKeys("/mfa/keys/rotate")
}

// changeKeys gives an order, and waits until all records are sealed anew.
func (l commandLine) changeKeys(path string) error {
	var keys keyProgress
	if err := l.call(http.MethodPost, path, struct{}{}, &keys); err != nil {
		return err
	}
	bar := newProgress("Looked at", "records", 0)
	for keys.Running {
		time.Sleep(50 * time.Millisecond)
		if err := l.call(http.MethodGet, "/mfa/keys", nil, &keys); err != nil {
			return err
		}
		bar.set(int64(keys.Done))
	}
	bar.end()
	if keys.Error != "" {
		return errors.New("the new key is in force, but not all records are sealed by it yet; mend this, then caddy mfa keys reseal: " + keys.Error)
	}
	return l.showKeys(keys)
}

func (l commandLine) showKeys(keys keyProgress) error {
	if l.Bool("json") {
		return printJSON(keys)
	}
	state := "-"
	switch {
	case keys.Running:
		state = "running, " + strconv.Itoa(keys.Done) + " records looked at"
	case keys.Error != "":
		state = "failed: " + keys.Error
	case !keys.Ended.IsZero():
		state = "done " + when(keys.Ended) + ", " + strconv.Itoa(keys.Done) + " records looked at"
	}
	return printTable([][]string{{"KEYSET", "KEYS", "SEALING ANEW"}, {keys.Keyset, strconv.Itoa(keys.Keys), state}})
}
