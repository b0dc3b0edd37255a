package loginform

import (
	"strconv"
	"strings"
	"time"
)

// cookieTime reads the date of a cookie as browsers do (RFC 6265 section 5.1.1): a time, a
// day, a month and a year in any order, with anything else beside them, and always in
// UTC. Apps write it in many ways.
func cookieTime(text string) (at time.Time, ok bool) {
	d := cookieDate{hour: -1}
	for _, token := range strings.FieldsFunc(text, dateDelimiter) {
		_ = d.takeTime(token) || d.takeDay(token) || d.takeMonth(token) || d.takeYear(token)
	}
	return d.time()
}

// dateDelimiter tells what stands between the parts of a date. A colon does not.
func dateDelimiter(r rune) bool {
	return r == '\t' || ' ' <= r && r <= '/' || ';' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
}

// A cookieDate is what has been found of a date. Each part counts where it is first met. An
// hour below zero is none yet, and so is a month that is zero.
type cookieDate struct {
	hour, minute, second int
	day, year            int
	month                time.Month
	hasDay, hasYear      bool
}

func (d *cookieDate) takeTime(token string) bool {
	if d.hour >= 0 {
		return false
	}
	var parts [3]int
	rest := token
	for i := range parts {
		var ok bool
		if parts[i], rest, ok = leadingDigits(rest, 1, 2); !ok {
			return false
		}
		if i == 2 {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			return false
		}
	}
	d.hour, d.minute, d.second = parts[0], parts[1], parts[2]
	return true
}

func (d *cookieDate) takeDay(token string) bool {
	if d.hasDay {
		return false
	}
	day, _, ok := leadingDigits(token, 1, 2)
	if ok {
		d.day, d.hasDay = day, true
	}
	return ok
}

func (d *cookieDate) takeMonth(token string) bool {
	const months = "janfebmaraprmayjunjulaugsepoctnovdec"
	if d.month != 0 || len(token) < 3 {
		return false
	}
	i := strings.Index(months, strings.ToLower(token[:3]))
	if i < 0 || i%3 != 0 {
		return false
	}
	d.month = time.Month(i/3 + 1)
	return true
}

// takeYear reads a year. One of two digits is between 1970 and 2069.
func (d *cookieDate) takeYear(token string) bool {
	if d.hasYear {
		return false
	}
	year, _, ok := leadingDigits(token, 2, 4)
	switch {
	case !ok:
		return false
	case year < 70:
		year += 2000
	case year < 100:
		year += 1900
	}
	d.year, d.hasYear = year, true
	return true
}

// time returns the date if it is there whole, and in the calendar.
func (d *cookieDate) time() (time.Time, bool) {
	if d.hour < 0 || !d.hasDay || d.month == 0 || d.year < 1601 || d.hour > 23 || d.minute > 59 || d.second > 59 {
		return time.Time{}, false
	}
	at := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC)
	return at, at.Day() == d.day
}

// leadingDigits reads the number at the start of a text, if it has so many digits.
func leadingDigits(text string, least, most int) (n int, rest string, ok bool) {
	end := 0
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	if end < least || end > most {
		return 0, text, false
	}
	n, err := strconv.Atoi(text[:end])
	return n, text[end:], err == nil
}
