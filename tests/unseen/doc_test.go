// Package unseen_test leads people into apps for which there is no recipe, by nothing
// but a block such as docs/login-form.md teaches. The apps are written as the
// tutorials of well-known frameworks show it.
package unseen_test

import (
	"os"
	"testing"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

func TestMain(m *testing.M) { os.Exit(gatetest.Main(m)) }
