package main

import (
	"sync"
	"time"
)

// limiter counts requests of a user in windows that begin with the first of them; each pod counts for itself.
type limiter struct {
	most   int
	window time.Duration
	mutex  sync.Mutex
	users  map[string]*counted
}

type counted struct {
	begun time.Time
	count int
}

const mostUsers = 10_000

func newLimiter(most int, window time.Duration) *limiter {
	return &limiter{most: most, window: window, users: map[string]*counted{}}
}

// allow says whether the user's request may pass, and if not, how long to wait.
func (l *limiter) allow(user string, now time.Time) (time.Duration, bool) {
	if fault("no_rate_limit") {
		return 0, true
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held, there := l.users[user]
	if !there || now.Sub(held.begun) >= l.window {
		l.forget(now)
		held = &counted{begun: now}
		l.users[user] = held
	}
	held.count++
	if held.count > l.most {
		return l.window - now.Sub(held.begun), false
	}
	return 0, true
}

// forget drops windows that are over once there are many.
func (l *limiter) forget(now time.Time) {
	if len(l.users) < mostUsers {
		return
	}
	for user, held := range l.users {
		if now.Sub(held.begun) >= l.window {
			delete(l.users, user)
		}
	}
}
