package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// photos removes a deleted walk's pictures from Cloud Storage, by its JSON API.
type photos struct {
	objects string // address of the bucket's objects; empty without Storage
	client  *http.Client
	running sync.WaitGroup
}

func newPhotos(host, project string) *photos {
	made := &photos{client: &http.Client{Timeout: 3 * time.Second}}
	if host != "" {
		made.objects = strings.TrimSuffix(host, "/") + "/storage/v1/b/" + project + ".appspot.com/o"
	}
	return made
}

// forget removes them later; a failure is logged, the walk is gone all the same.
func (p *photos) forget(user, id string) {
	if p.objects == "" || fault("photos_stay") {
		return
	}
	folder := fmt.Sprintf("users/%s/walks/%s/", user, strings.ToUpper(id))
	if fault("photos_of_all_removed") {
		folder = fmt.Sprintf("users/%s/", user)
	}
	p.running.Go(func() {
		if err := p.remove(folder); err != nil {
			slog.Error("photos were not removed from storage", "walk_id", id, "user_id", user, "error", err.Error())
		}
	})
}

func (p *photos) remove(folder string) error {
	answer, err := p.client.Get(p.objects + "?" + url.Values{"prefix": {folder}}.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var page struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	if err = json.NewDecoder(answer.Body).Decode(&page); err != nil {
		return err
	}
	for _, each := range page.Items {
		request, err := http.NewRequest(http.MethodDelete, p.objects+"/"+url.PathEscape(each.Name), nil)
		if err != nil {
			return err
		}
		done, err := p.client.Do(request)
		if err != nil {
			return err
		}
		done.Body.Close()
		if done.StatusCode >= 400 && done.StatusCode != http.StatusNotFound {
			return fmt.Errorf("%s: status %d", each.Name, done.StatusCode)
		}
	}
	return nil
}

func (p *photos) wait(limit time.Duration) {
	done := make(chan struct{})
	go func() { p.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
