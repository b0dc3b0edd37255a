// Package parsers_test asks the parsers that apps have what they read in what the gate lets
// go to them: PHP's own, those of Python and Node, and Go's. What they read must be what
// the gate has judged. Each language is one process, to which thousands of requests go.
//
// The inputs are the corpora of the fuzz targets in mfagate/loginform, and nasty ones made
// up from a number, which is the same each time unless MFAGATE_SEED says another. To look for
// more:
//
//	for i in $(seq 100 200); do MFAGATE_SEED=$i go test -count=1 ./tests/parsers || break; done
package parsers_test
