package mfagate

import "net/http"

// leave ends the session from which the app has signed the person out. A page that is shown then is the login form
// at an address where nobody watches it, most likely, so the way leads to its own. Any other answer
// is the app's to give. It tells whether it has answered.
func (w *sealingWriter) leave(status int) (answered bool) {
	v := w.visit
	w.within = nil
	shown := status == http.StatusOK && v.r.Method == http.MethodGet && navigation(v.r)
	if shown {
		clear(w.own)
	}
	err := v.endBinding()
	if err == nil && !shown {
		return false
	}
	w.broken = true
	if err == nil {
		v.dropCookies(v.opened.Cookies)
		err = v.keepReturn()
	}
	if err != nil {
		clear(w.own)
		w.withhold(err)
		return true
	}
	v.redirect(v.login.Form.LoginURI())
	return true
}
