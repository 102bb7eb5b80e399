package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const mostBody = 4 << 20

type api struct {
	store   *store
	mirror  *mirror
	photos  *photos
	tokens  tokens
	limiter *limiter
	metrics *metrics
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /ready", a.ready)
	if !fault("walks_missing") {
		mux.HandleFunc("GET /v1/walks", a.forUser(a.list))
		mux.HandleFunc("POST /v1/walks", a.forUser(a.create))
		mux.HandleFunc("GET /v1/walks/{id}", a.forUser(a.get))
		mux.HandleFunc("PUT /v1/walks/{id}", a.forUser(a.put))
		mux.HandleFunc("DELETE /v1/walks/{id}", a.forUser(a.remove))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "NOT_FOUND", "no such path")
	})
	return a.observed(mux)
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if fault("health_asks_database") && a.store.ping(r.Context()) != nil {
		fail(w, http.StatusServiceUnavailable, "INTERNAL_ERROR", "the database does not answer")
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.store.ping(r.Context()); err != nil && !fault("ready_without_database") {
		fail(w, http.StatusServiceUnavailable, "INTERNAL_ERROR", "the database does not answer")
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ready"})
}

type call func(w http.ResponseWriter, r *http.Request, user string) error

// forUser lets a call in that carries a good token and is within its user's limit.
func (a *api) forUser(handle call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := a.tokens.user(r)
		if err != nil {
			respond(w, r, err)
			return
		}
		if wait, ok := a.limiter.allow(user, time.Now()); !ok {
			if !fault("no_retry_after") {
				w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			}
			fail(w, http.StatusTooManyRequests, "RATE_LIMITED", "too many requests, try again later")
			return
		}
		if err := a.store.ensureUser(r.Context(), user); err != nil {
			respond(w, r, err)
			return
		}
		if fault("token_logged") {
			slog.Info("authenticated", "user_id", user, "authorization", r.Header.Get("Authorization"))
		}
		if err := handle(w, r, user); err != nil {
			respond(w, r, err)
		}
	}
}

func (a *api) list(w http.ResponseWriter, r *http.Request, user string) error {
	page, err := number(r, "page", 1, 1000)
	if err != nil {
		return err
	}
	limit, err := number(r, "limit", 20, 100)
	if err != nil {
		return err
	}
	walks, total, err := a.store.list(r.Context(), user, page, limit)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"walks": walks, "total_count": total, "page": page, "limit": limit})
	return nil
}

func number(r *http.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 || value > most {
		return 0, errInvalid{name + " must be 1 to " + strconv.Itoa(most)}
	}
	return value, nil
}

func (a *api) create(w http.ResponseWriter, r *http.Request, user string) error {
	patch, err := body(w, r, true)
	if err != nil {
		return err
	}
	walk, err := a.store.create(r.Context(), user, patch)
	if err != nil {
		return err
	}
	slog.Info("walk created", "walk_id", walk.ID, "user_id", user)
	a.mirror.submit(walk.ID, user)
	status := http.StatusCreated
	if fault("create_200") {
		status = http.StatusOK
	}
	answer(w, status, walk)
	return nil
}

func (a *api) get(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := walkID(r)
	if err != nil {
		return err
	}
	walk, err := a.store.get(r.Context(), user, id)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, walk)
	return nil
}

func (a *api) put(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := walkID(r)
	if err != nil {
		return err
	}
	patch, err := body(w, r, false)
	if err != nil {
		return err
	}
	walk, err := a.store.put(r.Context(), user, id, patch)
	if err != nil {
		return err
	}
	slog.Info("walk written", "walk_id", id, "user_id", user, "locations", len(patch.Locations))
	a.mirror.submit(id, user)
	answer(w, http.StatusOK, walk)
	return nil
}

func (a *api) remove(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := walkID(r)
	if err != nil {
		return err
	}
	if err = a.store.remove(r.Context(), user, id); err != nil {
		return err
	}
	slog.Info("walk deleted", "walk_id", id, "user_id", user)
	a.mirror.submit(id, user)
	a.photos.forget(user, id)
	if fault("delete_200") {
		answer(w, http.StatusOK, map[string]bool{"deleted": true})
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func walkID(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		if fault("bad_id_500") {
			return "", err
		}
		return "", errInvalid{"the id must be a UUID"}
	}
	if fault("upper_case_unknown") && id.String() != r.PathValue("id") {
		return "", errNotFound
	}
	return id.String(), nil
}

func body(w http.ResponseWriter, r *http.Request, create bool) (*Patch, error) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		return nil, errInvalid{"the body is too large, or was cut off"}
	}
	var patch Patch
	if err = decode(content, &patch); err != nil {
		return nil, errInvalid{err.Error()}
	}
	if fault("nul_500") && patch.Title != nil && strings.ContainsRune(*patch.Title, 0) {
		return nil, errors.New("invalid byte sequence for encoding UTF8: 0x00")
	}
	if err = patch.check(create); err != nil {
		return nil, errInvalid{err.Error()}
	}
	return &patch, nil
}

// respond gives an error its status and code; what nobody foresaw is logged and told as INTERNAL_ERROR.
func respond(w http.ResponseWriter, r *http.Request, err error) {
	var invalid errInvalid
	switch {
	case errors.As(err, &invalid):
		fail(w, http.StatusBadRequest, "INVALID_REQUEST", invalid.message)
	case errors.Is(err, errUnauthorized):
		fail(w, http.StatusUnauthorized, "UNAUTHORIZED", err.Error())
	case errors.Is(err, errForbidden):
		fail(w, http.StatusForbidden, "FORBIDDEN", err.Error())
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, "NOT_FOUND", err.Error())
	default:
		slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err.Error())
		fail(w, http.StatusInternalServerError, "INTERNAL_ERROR", "something went wrong")
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	if fault("errors_without_code") {
		answer(w, status, map[string]string{"error": message})
		return
	}
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func answer(w http.ResponseWriter, status int, content any) {
	text, err := json.Marshal(content)
	if err != nil {
		slog.Error("an answer cannot be written", "error", err.Error())
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"INTERNAL_ERROR","message":"no answer"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(tampered(text))
}

type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (a *api) observed(next http.Handler) http.Handler {
	pod := os.Getenv("POD_NAME")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pod-Name", pod)
		seen := &watched{ResponseWriter: w, status: http.StatusOK}
		begun := time.Now()
		defer func() {
			if broken := recover(); broken != nil {
				slog.Error("panic", "path", r.URL.Path, "panic", broken)
				fail(seen, http.StatusInternalServerError, "INTERNAL_ERROR", "something went wrong")
			}
			a.metrics.count(r.Method, r.Pattern, seen.status)
			slog.Debug("request", "method", r.Method, "route", r.Pattern, "status", seen.status, "ms", time.Since(begun).Milliseconds())
		}()
		next.ServeHTTP(seen, r)
	})
}
