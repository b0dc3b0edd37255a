package totp

import (
	"errors"
	"fmt"
	"net/url"
)

// An App is an authenticator app that the enrolment page recommends. The links
// are https; an empty one means that there is none.
type App struct {
	Name    string `json:"name"`
	IOS     string `json:"ios,omitempty"`     // in the App Store
	Android string `json:"android,omitempty"` // in Google Play or another store
	Web     string `json:"web,omitempty"`     // for all other devices
}

// DefaultApps returns the apps recommended if the configuration names none. All
// are free of charge; the last two have open source.
func DefaultApps() []App {
	return []App{
		{
			Name:    "Microsoft Authenticator",
			IOS:     "https://apps.apple.com/app/microsoft-authenticator/id983156458",
			Android: "https://play.google.com/store/apps/details?id=com.azure.authenticator",
		},
		{
			Name:    "Google Authenticator",
			IOS:     "https://apps.apple.com/app/google-authenticator/id388497605",
			Android: "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2",
		},
		{
			Name:    "Authy",
			IOS:     "https://apps.apple.com/app/twilio-authy/id494168017",
			Android: "https://play.google.com/store/apps/details?id=com.authy.authy",
		},
		{
			Name:    "Ente Auth",
			IOS:     "https://apps.apple.com/app/ente-auth-2fa-authenticator/id6444121398",
			Android: "https://play.google.com/store/apps/details?id=io.ente.auth",
			Web:     "https://ente.io/auth/",
		},
		{
			Name:    "Aegis Authenticator",
			Android: "https://play.google.com/store/apps/details?id=com.beemdevelopment.aegis",
			Web:     "https://getaegis.app/",
		},
	}
}

func (a App) validate() error {
	if a.Name == "" {
		return errors.New("totp: an app has no name")
	}
	for _, link := range []string{a.IOS, a.Android, a.Web} {
		u, err := url.Parse(link)
		if link != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			return fmt.Errorf("totp: app %q: %q is not an https link", a.Name, link)
		}
	}
	return nil
}
