package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// signIn enrols the user and returns the cookies of the session. It fails unless
// the app is out of reach before, and within reach afterwards.
func signIn(base string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: loopback(1), Jar: jar}
	defer client.CloseIdleConnections()
	if err := reach(client, base+"/", http.StatusUnauthorized); err != nil {
		return "", err
	}
	return enrol(client, jar, base, "/")
}

// enrol enrols the user of the browser, and returns the cookies with which a page is within reach.
func enrol(client *http.Client, jar http.CookieJar, base, page string) (string, error) {
	var begun struct{ Enrollment, Secret string }
	if err := post(client, base+"/.mfa/api/v1/enroll/totp", struct{}{}, &begun); err != nil {
		return "", err
	}
	code, err := totp.GenerateCodeCustom(begun.Secret, time.Now(), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", err
	}
	var done struct{}
	answer := map[string]string{"enrollment": begun.Enrollment, "code": code, "label": "bench"}
	if err := post(client, base+"/.mfa/api/v1/enroll/totp/confirm", answer, &done); err != nil {
		return "", err
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	var cookies []string
	for _, c := range jar.Cookies(u) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; "), reach(client, base+page, http.StatusOK)
}

func reach(client *http.Client, to string, want int) error {
	resp, err := client.Get(to)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return fmt.Errorf("got %d from the app; want %d", resp.StatusCode, want)
	}
	return nil
}

func post(client *http.Client, to string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := client.Post(to, "application/json", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", to, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
