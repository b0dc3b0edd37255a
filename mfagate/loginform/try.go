package loginform

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var tryMethod = regexp.MustCompile(`^[A-Z]{3,20}$`)

// checkTry looks at requests that are sent as they stand.
func checkTry(all []Pattern) error {
	var errs []error
	for _, p := range all {
		method, uri, _ := strings.Cut(p.Text, " ")
		_, err := url.ParseRequestURI(uri)
		if err != nil || !tryMethod.MatchString(method) || !strings.HasPrefix(uri, "/") || strings.ContainsAny(uri, "*| ") {
			errs = append(errs, fmt.Errorf("try: %q is sent as it stands: want METHOD /path?query, without wild cards", p.Text))
		}
		for field := range p.Where {
			if strings.HasPrefix(field, "/") {
				errs = append(errs, fmt.Errorf("try: %q: want the fields of a form, not %s", p.Text, field))
			}
		}
	}
	return errors.Join(errs...)
}
