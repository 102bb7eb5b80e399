package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sort"
	"time"

	"github.com/lib/pq"
)

var (
	errNotFound  = errors.New("there is no such walk")
	errForbidden = errors.New("this walk is another user's")
)

type errInvalid struct{ message string }

func (e errInvalid) Error() string { return e.message }

//go:embed migrations/*.sql
var migrations embed.FS

const (
	databaseWithin = 30 * time.Second // the sidecar may come up after us
	migrationLock  = 71_431_002
)

type store struct{ db *sql.DB }

func openStore(ctx context.Context) (*store, error) {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD")),
		Host:     os.Getenv("DB_HOST") + ":" + os.Getenv("DB_PORT"),
		Path:     os.Getenv("DB_NAME"),
		RawQuery: url.Values{"sslmode": {os.Getenv("DB_SSLMODE")}, "connect_timeout": {"5"}}.Encode(),
	}
	db, err := sql.Open("postgres", address.String())
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxLifetime(10 * time.Minute)
	made := &store{db: db}
	until := time.Now().Add(databaseWithin)
	for {
		if err = made.migrate(ctx); err == nil {
			return made, nil
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// migrate brings the schema up to date; pods that start together take turns.
func (s *store) migrate(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY)"); err != nil {
		return err
	}
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name() < files[j].Name() })
	for _, file := range files {
		done, err := tx.ExecContext(ctx, "INSERT INTO schema_migrations VALUES ($1) ON CONFLICT DO NOTHING", file.Name())
		if err != nil {
			return err
		}
		if count, _ := done.RowsAffected(); count == 0 {
			continue
		}
		text, err := migrations.ReadFile("migrations/" + file.Name())
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	if fault("updated_at_frozen") {
		if _, err = tx.ExecContext(ctx, "ALTER TABLE walks DISABLE TRIGGER walks_touch"); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *store) close() { s.db.Close() }

func (s *store) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return s.db.PingContext(ctx)
}

func (s *store) ensureUser(ctx context.Context, user string) error {
	_, err := s.db.ExecContext(ctx,
		"INSERT INTO users (id, auth_provider) VALUES ($1, 'firebase') ON CONFLICT (id) DO NOTHING", user)
	return err
}

const columns = `id, coalesce(user_id, ''), title, description, start_time, end_time, paused_at, total_distance,
total_steps, polyline_data, thumbnail_image_url, status, total_paused_duration, created_at, updated_at`

type row interface{ Scan(into ...any) error }

func scan(from row) (*Walk, error) {
	var w Walk
	var start, end, paused sql.NullTime
	err := from.Scan(&w.ID, &w.UserID, &w.Title, &w.Description, &start, &end, &paused, &w.TotalDistance, &w.TotalSteps,
		&w.PolylineData, &w.ThumbnailImageURL, &w.Status, &w.TotalPausedDuration, &w.CreatedAt, &w.UpdatedAt)
	if err != nil {
		return nil, err
	}
	w.StartTime, w.EndTime, w.PausedAt = instant(start), instant(end), instant(paused)
	w.CreatedAt, w.UpdatedAt = w.CreatedAt.UTC(), w.UpdatedAt.UTC()
	return &w, nil
}

func instant(held sql.NullTime) *time.Time {
	if !held.Valid {
		return nil
	}
	at := held.Time.UTC()
	return &at
}

func utc(at *time.Time) any {
	if at == nil {
		return nil
	}
	return at.UTC()
}

func (s *store) list(ctx context.Context, user string, page, limit int) ([]Walk, int, error) {
	total, order, offset, whose := 0, "DESC", (page-1)*limit, "user_id = $1"
	if fault("oldest_first") {
		order = "ASC"
	}
	if fault("page_ignored") {
		offset = 0
	}
	if fault("list_of_all") {
		whose = "(user_id = $1 OR true)"
	}
	counted := "SELECT count(*) FROM walks WHERE user_id = $1"
	if fault("total_count_of_all") {
		counted = "SELECT count(*) FROM walks WHERE user_id = $1 OR true"
	}
	if err := s.db.QueryRowContext(ctx, counted, user).Scan(&total); err != nil {
		return nil, 0, err
	}
	found, err := s.db.QueryContext(ctx, "SELECT "+columns+" FROM walks WHERE "+whose+
		" ORDER BY created_at "+order+", id LIMIT $2 OFFSET $3", user, limit, offset)
	if err != nil {
		return nil, 0, err
	}
	defer found.Close()
	walks := []Walk{}
	for found.Next() {
		walk, err := scan(found)
		if err != nil {
			return nil, 0, err
		}
		walks = append(walks, *walk)
	}
	return walks, total, found.Err()
}

type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// walk reads a walk with its locations, whoever's it is.
func (s *store) walk(ctx context.Context, from queries, id string) (*WalkDetail, error) {
	walk, err := scan(from.QueryRowContext(ctx, "SELECT "+columns+" FROM walks WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	order := "sequence_number"
	if fault("locations_as_inserted") {
		order = "id"
	}
	rows, err := from.QueryContext(ctx, `SELECT sequence_number, latitude, longitude, altitude, "timestamp",
		horizontal_accuracy, vertical_accuracy, speed, course FROM walk_locations WHERE walk_id = $1 ORDER BY `+order, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	detail := &WalkDetail{Walk: *walk, Locations: []Location{}}
	for rows.Next() {
		var l Location
		var at sql.NullTime
		if err := rows.Scan(&l.SequenceNumber, &l.Latitude, &l.Longitude, &l.Altitude, &at, &l.HorizontalAccuracy,
			&l.VerticalAccuracy, &l.Speed, &l.Course); err != nil {
			return nil, err
		}
		l.Timestamp = instant(at)
		detail.Locations = append(detail.Locations, l)
	}
	return detail, rows.Err()
}

func (s *store) get(ctx context.Context, user, id string) (*WalkDetail, error) {
	found, err := s.walk(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	if found.UserID != user && !fault("foreign_readable") {
		return nil, others()
	}
	return found, nil
}

// others is what somebody hears who asks for another's walk: the same as when it were not there.
func others() error {
	if fault("foreign_403") {
		return errForbidden
	}
	return errNotFound
}

func (s *store) remove(ctx context.Context, user, id string) error {
	done, err := s.db.ExecContext(ctx, "DELETE FROM walks WHERE id = $1 AND user_id = $2", id, user)
	if err != nil {
		return err
	}
	if count, _ := done.RowsAffected(); count == 0 {
		return errNotFound
	}
	return nil
}

// alone runs do with the walk as it is now, nil when it is gone, while no other pod does so for the same walk.
func (s *store) alone(ctx context.Context, id string, do func(*WalkDetail) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", id); err != nil {
		return err
	}
	walk, err := s.walk(ctx, tx, id)
	if err != nil && !errors.Is(err, errNotFound) {
		return err
	}
	if err = do(walk); err != nil {
		return err
	}
	return tx.Commit()
}

// refused turns what PostgreSQL's own checks refuse into the caller's mistake.
func refused(err error) error {
	var from *pq.Error
	if errors.As(err, &from) && (from.Code.Class() == "23" || from.Code.Class() == "22") {
		return errInvalid{"the values do not fit together: " + from.Constraint}
	}
	return err
}
