package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

var errUnauthorized = errors.New("the token is missing or not valid")

// tokens checks Firebase ID tokens of the Auth emulator, which carry no signature.
type tokens struct{ project string }

type claims struct {
	Issuer   string  `json:"iss"`
	Audience string  `json:"aud"`
	Subject  string  `json:"sub"`
	Expires  float64 `json:"exp"`
}

// user gives the uid of the caller, or errUnauthorized.
func (t tokens) user(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	parts := strings.Split(token, ".")
	if !strings.EqualFold(scheme, "Bearer") || len(parts) != 3 {
		return "", errUnauthorized
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", errUnauthorized
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil || c.Subject == "" || len(c.Subject) > 128 {
		return "", errUnauthorized
	}
	if c.Audience != t.project || c.Issuer != "https://securetoken.google.com/"+t.project {
		if !fault("foreign_token_accepted") {
			return "", errUnauthorized
		}
	}
	if float64(time.Now().Unix()) >= c.Expires && !fault("expired_accepted") {
		return "", errUnauthorized
	}
	return c.Subject, nil
}
