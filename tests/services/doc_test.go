// Package services_test sends real messages: through a real mail server (aiosmtpd)
// and a real gateway for text messages (Kannel), both on loopback.
package services_test
