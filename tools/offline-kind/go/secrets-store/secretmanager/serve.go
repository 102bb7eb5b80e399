package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const largestPayload = 64 * 1024 // Secret Manager's own limit

// A version of a secret; its number is its place, from 1. The JSON is that of Secret Manager's v1 API.
type version struct {
	Name    string  `json:"name"`
	State   string  `json:"state,omitempty"`
	Payload *packed `json:"payload,omitempty"`
}

type packed struct {
	Data []byte `json:"data"`
}

type store struct {
	lock    sync.Mutex
	secrets map[string][]*version
}

func serve(address string) error {
	s := &store{secrets: map[string][]*version{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/projects/{project}/secrets/{secret}", s.addVersion)
	mux.HandleFunc("GET /v1/projects/{project}/secrets/{secret}/versions/{version}", s.access)
	mux.HandleFunc("POST /v1/projects/{project}/secrets/{secret}/versions/{version}", s.disable)
	log.Printf("secrets are served on %s", address)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

// POST .../secrets/NAME:addVersion makes the secret where it is missing: there is no IAM that could mind.
func (s *store) addVersion(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("secret"), ":addVersion")
	var asked struct {
		Payload packed `json:"payload"`
	}
	if !ok || json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*largestPayload)).Decode(&asked) != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "want :addVersion with payload.data")
		return
	}
	if len(asked.Payload.Data) > largestPayload {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the payload is larger than 64 KiB")
		return
	}
	secret := fmt.Sprintf("projects/%s/secrets/%s", r.PathValue("project"), name)
	s.lock.Lock()
	defer s.lock.Unlock()
	added := &version{State: "ENABLED", Payload: &asked.Payload}
	s.secrets[secret] = append(s.secrets[secret], added)
	added.Name = fmt.Sprintf("%s/versions/%d", secret, len(s.secrets[secret]))
	log.Printf("added %s", added.Name)
	answer(w, version{Name: added.Name, State: added.State})
}

// GET .../versions/N:access or .../versions/latest:access. The latest is the newest that is enabled.
func (s *store) access(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	found := s.find(w, r, ":access")
	if found == nil {
		return
	}
	if found.State != "ENABLED" {
		refuse(w, http.StatusBadRequest, "FAILED_PRECONDITION", found.Name+" is "+found.State)
		return
	}
	answer(w, version{Name: found.Name, Payload: found.Payload})
}

// POST .../versions/N:disable.
func (s *store) disable(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if found := s.find(w, r, ":disable"); found != nil {
		found.State = "DISABLED"
		log.Printf("disabled %s", found.Name)
		answer(w, version{Name: found.Name, State: found.State})
	}
}

// find is the version that the path names; nil when it was refused.
func (s *store) find(w http.ResponseWriter, r *http.Request, verb string) *version {
	wanted, ok := strings.CutSuffix(r.PathValue("version"), verb)
	secret := fmt.Sprintf("projects/%s/secrets/%s", r.PathValue("project"), r.PathValue("secret"))
	versions := s.secrets[secret]
	if ok && wanted == "latest" {
		for place := len(versions) - 1; place >= 0; place-- {
			if versions[place].State == "ENABLED" {
				return versions[place]
			}
		}
	}
	if number, err := strconv.Atoi(wanted); ok && err == nil && 1 <= number && number <= len(versions) {
		return versions[number-1]
	}
	refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("%s has no version %q", secret, wanted))
	return nil
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"code": status, "status": code, "message": message},
	})
}
