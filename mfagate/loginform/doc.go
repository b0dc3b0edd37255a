// Package loginform reads the login form of an app that cannot be changed, so
// that the form can be the first factor.
//
// It knows no sessions and stores nothing. It tells which requests reach the app
// of a person who has not signed in ([Form.Classify]), reads a submitted form
// as strictly as must be ([Form.ReadSubmission]), finds credentials where they
// do not belong ([Form.Guard]), judges the answer of the app ([Form.Judge])
// and tells who the app takes the person for ([Form.Who]). It also seals the
// app's cookies ([Sealer]), so that nothing of use reaches a browser in clear.
//
// Two rules hold throughout. What two readers could understand differently is an
// error, never a guess: the gate must judge what the app will read. And what is
// not clearly a success is a failure.
package loginform
