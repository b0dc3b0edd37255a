package httpsender

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
)

var errBroken = errors.New("the connection broke, or the answer was not HTTP")

// safe returns what can be told of an error of the HTTP client. The URL that the
// client puts around it may have a password in its query, and what it says of a malformed
// answer may repeat what was sent.
func safe(err error) error {
	if whole, ok := errors.AsType[*url.Error](err); ok {
		if whole.Timeout() {
			return context.DeadlineExceeded
		}
		err = whole.Err
	}
	if connecting, ok := errors.AsType[*net.OpError](err); ok {
		return connecting
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return name
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errBroken
}
