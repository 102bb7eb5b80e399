package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
)

func (s *store) create(ctx context.Context, user string, patch *Patch) (*Walk, error) {
	description := ""
	if patch.Description != nil {
		description = *patch.Description
	}
	walk, err := scan(s.db.QueryRowContext(ctx,
		"INSERT INTO walks (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING "+columns,
		uuid.NewString(), user, *patch.Title, description))
	if err != nil {
		return nil, refused(err)
	}
	return walk, nil
}

const change = `UPDATE walks SET title = coalesce($2, title), description = coalesce($3, description),
start_time = coalesce($4, start_time), end_time = coalesce($5, end_time), paused_at = coalesce($6, paused_at),
total_distance = coalesce($7, total_distance), total_steps = coalesce($8, total_steps),
polyline_data = coalesce($9, polyline_data), thumbnail_image_url = coalesce($10, thumbnail_image_url),
status = coalesce($11, status), total_paused_duration = coalesce($12, total_paused_duration) WHERE id = $1 RETURNING `

// change that adds the distance to what is there: a phone that sends a PUT again has walked twice as far.
const changeTwice = `UPDATE walks SET title = coalesce($2, title), description = coalesce($3, description),
start_time = coalesce($4, start_time), end_time = coalesce($5, end_time), paused_at = coalesce($6, paused_at),
total_distance = total_distance + coalesce($7::float8, 0), total_steps = coalesce($8, total_steps),
polyline_data = coalesce($9, polyline_data), thumbnail_image_url = coalesce($10, thumbnail_image_url),
status = coalesce($11, status), total_paused_duration = coalesce($12, total_paused_duration) WHERE id = $1 RETURNING `

// put changes the walk, or makes it under that id, in one transaction with its locations.
func (s *store) put(ctx context.Context, user, id string, patch *Patch) (*Walk, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if err = s.own(ctx, tx, user, id); err != nil {
		return nil, err
	}
	statement := change
	if fault("applied_twice") {
		statement = changeTwice
	}
	walk, err := scan(tx.QueryRowContext(ctx, statement+columns, id, patch.Title, patch.Description, utc(patch.StartTime),
		utc(patch.EndTime), utc(patch.PausedAt), patch.TotalDistance, patch.TotalSteps, patch.PolylineData,
		patch.ThumbnailImageURL, patch.Status, patch.TotalPausedDuration))
	if err != nil {
		return nil, refused(err)
	}
	if err = putLocations(ctx, tx, id, patch.Locations); err != nil {
		return nil, refused(err)
	}
	return walk, tx.Commit()
}

// own locks the walk's row, made if there is none, and says whether it is the user's.
func (s *store) own(ctx context.Context, tx *sql.Tx, user, id string) error {
	if !fault("upsert_404") {
		_, err := tx.ExecContext(ctx, "INSERT INTO walks (id, user_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", id, user)
		if err != nil {
			return err
		}
	}
	var owner sql.NullString
	err := tx.QueryRowContext(ctx, "SELECT user_id FROM walks WHERE id = $1 FOR UPDATE", id).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if owner.String != user && !fault("put_overwrites_foreign") {
		return others()
	}
	return nil
}

func putLocations(ctx context.Context, tx *sql.Tx, id string, sent []Location) error {
	if fault("last_location_lost") && len(sent) > 1 {
		sent = sent[:len(sent)-1]
	}
	last := map[int64]Location{}
	for _, each := range sent {
		last[*each.SequenceNumber] = each
	}
	if len(last) == 0 {
		return nil
	}
	var numbers []int64
	var times []string
	var latitudes, longitudes []float64
	var altitudes, horizontal, vertical, speeds, courses []sql.NullFloat64
	for _, each := range sent {
		if _, there := last[*each.SequenceNumber]; !there {
			continue
		}
		l := last[*each.SequenceNumber]
		delete(last, *each.SequenceNumber)
		numbers = append(numbers, *l.SequenceNumber)
		times = append(times, l.Timestamp.UTC().Format(time.RFC3339Nano))
		latitudes, longitudes = append(latitudes, *l.Latitude), append(longitudes, *l.Longitude)
		altitudes, speeds, courses = append(altitudes, perhaps(l.Altitude)), append(speeds, perhaps(l.Speed)), append(courses, perhaps(l.Course))
		horizontal = append(horizontal, perhaps(l.HorizontalAccuracy))
		vertical = append(vertical, perhaps(l.VerticalAccuracy))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO walk_locations (walk_id, sequence_number, latitude, longitude, altitude,
		"timestamp", horizontal_accuracy, vertical_accuracy, speed, course)
		SELECT $1, n, la, lo, al, ts::timestamp, ha, va, sp, co FROM unnest($2::bigint[], $3::float8[], $4::float8[],
		$5::float8[], $6::text[], $7::float8[], $8::float8[], $9::float8[], $10::float8[])
		AS sent (n, la, lo, al, ts, ha, va, sp, co)
		ON CONFLICT (walk_id, sequence_number) DO UPDATE SET latitude = excluded.latitude, longitude = excluded.longitude,
		altitude = excluded.altitude, "timestamp" = excluded."timestamp", speed = excluded.speed, course = excluded.course,
		horizontal_accuracy = excluded.horizontal_accuracy, vertical_accuracy = excluded.vertical_accuracy`,
		id, pq.Array(numbers), pq.Array(latitudes), pq.Array(longitudes), pq.Array(altitudes), pq.Array(times),
		pq.Array(horizontal), pq.Array(vertical), pq.Array(speeds), pq.Array(courses))
	return err
}

func perhaps(value *float64) sql.NullFloat64 {
	if value == nil {
		return sql.NullFloat64{}
	}
	return sql.NullFloat64{Float64: *value, Valid: true}
}
