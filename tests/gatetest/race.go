//go:build race

package gatetest

// With the detector on, the server under test has it too: what races there
// fails the test that provoked it.
const raceFlag = "-race"
