// Package mfagate puts a second factor in front of web apps that cannot be
// changed. It is plain net/http: package caddymodule makes a Caddy module of it,
// and a program of your own can use it as middleware, see the example.
//
// # Words
//
// An app is what is protected. A user is a name in a realm: apps share a realm if
// their user names mean the same people. A [Source] tells the user of a request:
// that is the first factor, and the gate trusts it. A [Factor] is a kind of
// second proof; a [Credential] is one phone, key or list of codes that a user has
// enrolled. A challenge asks for a proof, and a proof makes a session, the gate's
// own. A [Policy] says what a request needs, a [Block] asks for it, and an
// [Event] records what happened.
//
// # How a request goes
//
// A [Block] asks its source who the request is from, finds the session of the
// request's cookie, and compares the two. Only if the session is of that user at
// that site, was proved, and meets the block's policy does the request go on to
// the app, without the gate's cookies. A navigation that is stopped is led to the
// pages under [Prefix]; any other request gets a 401 that programs understand.
// Doubt refuses, and errors refuse.
//
// # What is kept
//
// All records live in a [github.com/mfagate/caddy-mfagate/storage.Store], each change naming the version that it
// replaces. The factors and codes of one user are one record, and a commit changes
// all of its records or none. So whatever is one-time (the time step of a code, a
// recovery code, a ticket) is consumed by one commit that either happens or does not, in parallel requests, on several nodes and through
// crashes alike. A commit is durable before anything of it is answered: first the
// records, then the cookie, then the page.
//
// An answer to a challenge costs an attempt before it is looked at, and a right
// one gives it back. So parallel guesses cost as much as one after the other.
//
// Sessions are read from a cache that [Records] drop entries from before a commit
// returns; only when a session was last used is written later, in batches.
//
// # What this does not do
//
// Whoever knows a password may be the first to enrol, unless [Enrolment] asks for
// a ticket. A script that runs inside the app acts with the session of the person
// who runs it; changes of factors therefore take a proof of their own. An app
// that can be reached around the gate is not protected by it.
package mfagate
