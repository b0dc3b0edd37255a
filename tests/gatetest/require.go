package gatetest

import (
	"os"
	"os/exec"
	"testing"
)

// Require returns the path of a tool, skipping the test if it is not
// installed. With MFAGATE_REQUIRE=all a missing tool fails the test instead, so
// that nothing is skipped unnoticed where everything should be there.
func Require(t testing.TB, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		Missing(t, tool+" is not installed")
	}
	return path
}

// RequireFile returns the content of a file named by an environment variable,
// under the same rule as [Require].
func RequireFile(t testing.TB, variable, what string) []byte {
	t.Helper()
	data, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		Missing(t, what+" is not there; "+variable+" names its file")
	}
	return data
}

// Missing skips the test because something that it needs is not there, under the
// same rule as [Require].
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MFAGATE_REQUIRE") == "all" {
		t.Fatalf("%s, and MFAGATE_REQUIRE=all", why)
	}
	t.Skipf("skipped: %s", why)
}
