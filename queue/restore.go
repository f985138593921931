package queue

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// restore lists the segments that an earlier run left. Of a sealed one whose blocks were never acknowledged it reads
// 64 bytes; the others, those that were in use at the end, it loads once, to count. It writes to none: the next Put
// begins a new segment, so that nothing is ever appended behind a torn end.
func (q *Queue) restore() error {
	if err := q.readDropped(); err != nil {
		return err
	}
	infos, err := q.files.List(q.o.Folder)
	if err != nil {
		return err
	}
	var foreign []string
	for _, info := range infos {
		id, salt, ok := parseFileName(info.name)
		switch {
		case ok && info.regular:
			q.segments = append(q.segments, &segment{id: id, salt: salt, path: q.path(info.name), end: segmentHeaderSize})
		case info.name != "lock" && info.name != dropsName && info.name != dropsName+".new":
			foreign = append(foreign, info.name)
		}
	}
	if len(foreign) > 0 {
		q.log.Warn("queue folder holds files that are not the queue's; they are left alone", "files", foreign[:min(len(foreign), 10)])
	}
	slices.SortFunc(q.segments, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.salt, b.salt))
	})
	q.nextID = q.through
	for _, s := range slices.Clone(q.segments) {
		q.nextID = max(q.nextID, s.id)
		if err := q.inspect(s); err != nil {
			return err
		}
	}
	return nil
}

// inspect finds out what a segment holds.
func (q *Queue) inspect(s *segment) error {
	if s.id <= q.through { // dropped and counted, but a crash came before it was deleted
		q.forget(s)
		q.remove(s.path)
		return nil
	}
	trusted, err := q.readSummary(s)
	if err != nil {
		return err
	}
	if trusted {
		return nil
	}
	if err := q.load(s); err != nil {
		return err
	}
	s.close()
	q.discard(s)
	return nil
}

// readSummary takes a segment's counts from its header, where that can be trusted.
func (q *Queue) readSummary(s *segment) (trusted bool, err error) {
	f, err := q.files.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // deleted since it was listed: load says the same
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.path, err)
	}
	s.end = size
	b := make([]byte, segmentHeaderSize)
	if n, _ := f.ReadAt(b, 0); n < len(b) {
		return false, nil
	}
	sum, ok := parseSummary(b, s.salt)
	if !ok {
		return false, nil
	}
	s.sealed, s.touched, s.first = true, !sum.untouched, sum.first
	s.put = Tally{int64(sum.blocks), int64(sum.points), sum.end - segmentHeaderSize}
	if s.touched || sum.end != size {
		return false, nil
	}
	s.left = s.put
	return true, nil
}
