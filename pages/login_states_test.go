package pages

// loginStates are what people see on the way through the app's own login form.
func loginStates() []state {
	f := Frame{Site: "Intranet"}
	message := func(name string, status int, link, label string) Message {
		return Message{
			Title: Text{Key: "message." + name + ".title"}, Text: Text{Key: "message." + name + ".text"},
			Status: status, Link: link, Label: Text{Key: "label." + label},
		}
	}
	return []state{
		{"login-sign-in", f, message("sign_in", 401, "/login", "to_form")},
		{"login-failed", f, message("login_failed", 401, "/login", "try_again")},
		{"login-ask-password", f, message("ask_password", 401, "/files/", "try_again")},
		{"login-app-down", f, message("app_down", 502, "/reports", "try_again")},
		{"login-app-loop", f, message("app_loop", 502, "/", "continue")},
		{"login-elsewhere", f, message("credentials_elsewhere", 400, "/login", "to_form")},
		{"login-cookie-size", f, message("cookie_size", 502, "/", "continue")},
		{"login-other-user", f, message("other_user", 403, "/login", "to_form")},
		{"login-locked", f, message("locked", 429, "/login", "to_form")},
	}
}
