package main

import (
	"fmt"
	"net/http"
	"sort"
	"sync"
)

// metrics counts requests for Prometheus' text format.
type metrics struct {
	mirror   *mirror
	mutex    sync.Mutex
	requests map[string]int
}

func newMetrics(mirror *mirror) *metrics {
	return &metrics{mirror: mirror, requests: map[string]int{}}
}

func (m *metrics) count(method, route string, status int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.requests[fmt.Sprintf("method=%q,route=%q,status=\"%d\"", method, route, status)]++
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		fmt.Fprintln(w, "# TYPE http_requests_total counter")
		labels := make([]string, 0, len(m.requests))
		for each := range m.requests {
			labels = append(labels, each)
		}
		sort.Strings(labels)
		for _, each := range labels {
			fmt.Fprintf(w, "http_requests_total{%s} %d\n", each, m.requests[each])
		}
		fmt.Fprintf(w, "# TYPE walks_mirror_backlog gauge\nwalks_mirror_backlog %d\n", m.mirror.waitingNow())
	})
	return mux
}
