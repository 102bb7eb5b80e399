package main

import (
	"context"
	"hash/fnv"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const (
	mirrorLanes  = 4
	mirrorQueue  = 1000
	mirrorWithin = 5 * time.Second
)

// mirror writes walks to Firestore after PostgreSQL has them, outside the request. What waits is the walk's id: a worker
// reads the walk as it is by then, under a lock of that walk, so that writes of two pods never pass each other.
type mirror struct {
	store    *store
	client   firestorepb.FirestoreClient
	database string
	lanes    [mirrorLanes]chan job
	mutex    sync.Mutex
	waiting  map[string]bool
	pending  int
}

type job struct{ id, user string }

func newMirror(project string, store *store) (*mirror, error) {
	channel, err := grpc.NewClient(os.Getenv("FIRESTORE_EMULATOR_HOST"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	made := &mirror{
		store:    store,
		client:   firestorepb.NewFirestoreClient(channel),
		database: "projects/" + project + "/databases/(default)",
		waiting:  map[string]bool{},
	}
	for i := range made.lanes {
		made.lanes[i] = make(chan job, mirrorQueue)
		go made.work(made.lanes[i])
	}
	return made, nil
}

func (m *mirror) submit(id, user string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.waiting[id] {
		return
	}
	hash := fnv.New32a()
	hash.Write([]byte(id))
	select {
	case m.lanes[hash.Sum32()%mirrorLanes] <- job{id, user}:
		m.waiting[id] = true
		m.pending++
	default:
		slog.Error("firestore write dropped: the queue is full", "walk_id", id, "user_id", user)
	}
}

func (m *mirror) work(lane chan job) {
	for next := range lane {
		m.mutex.Lock()
		delete(m.waiting, next.id)
		m.mutex.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), mirrorWithin)
		err := m.store.alone(ctx, next.id, func(walk *WalkDetail) error { return m.write(ctx, next.id, walk) })
		cancel()
		if err != nil {
			slog.Error("firestore write failed", "walk_id", next.id, "user_id", next.user, "error", err.Error())
		}
		m.mutex.Lock()
		m.pending--
		m.mutex.Unlock()
	}
}

func (m *mirror) write(ctx context.Context, id string, walk *WalkDetail) error {
	name := strings.ToUpper(id)
	if fault("document_lower_case") {
		name = id
	}
	name = m.database + "/documents/walks/" + name
	if walk == nil {
		if fault("document_stays") {
			return nil
		}
		return m.commit(ctx, &firestorepb.Write{Operation: &firestorepb.Write_Delete{Delete: name}})
	}
	document := &firestorepb.Document{Name: name, Fields: fields(walk)}
	return m.commit(ctx, &firestorepb.Write{Operation: &firestorepb.Write_Update{Update: document}})
}

func (m *mirror) commit(ctx context.Context, write *firestorepb.Write) error {
	// "owner" is the emulator's word for a service account, which no rule holds.
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer owner", "google-cloud-resource-prefix", m.database)
	_, err := m.client.Commit(ctx, &firestorepb.CommitRequest{Database: m.database, Writes: []*firestorepb.Write{write}})
	return err
}

func (m *mirror) waitingNow() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.pending
}

// drain waits until everything is written, at most so long.
func (m *mirror) drain(limit time.Duration) {
	for until := time.Now().Add(limit); m.waitingNow() > 0 && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	if left := m.waitingNow(); left > 0 {
		slog.Error("firestore writes are left undone", "mirror_waiting", left)
	}
}
