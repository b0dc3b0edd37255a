// Package loginattack attacks the gate in front of apps that have a login form
// of their own, as three people would: one who has a password and nothing else
// (E1), a colleague with a second factor of his own (E2), and one who holds a
// sibling domain or a shared computer (E3). The app is that of tests/oracle; its
// ledger holds the gate to the invariants after each request.
//
// The tests run in one process, and most of them in a bubble with a clock of its
// own, so that an hour costs nothing. TestModel tries random sequences of
// what people, attackers and faults do, in as many parts at once as there are processors. Each part
// prints the seed that it begins with. A million of them:
//
//	go test ./tests/loginattack -run TestModel -rapid.checks=1000000 -timeout 0 -v
//
// A sequence that failed, again, with the part and the seed that the failure names:
//
//	go test ./tests/loginattack -run TestModel/1 -rapid.seed=SEED -rapid.checks=1 -v
//
// Where a sequence has two requests under way at a time their order is left to chance, so that such a
// one may need some tries.
package loginattack
