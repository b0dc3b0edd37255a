//go:build !race

package gatetest

const raceFlag = ""
