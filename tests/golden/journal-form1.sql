-- A journal of form 1, as artel made it before events were chained.
PRAGMA application_id = 1634890860;
PRAGMA user_version = 1;
CREATE TABLE runs (
  run TEXT PRIMARY KEY NOT NULL,
  name TEXT,
  repo ANY NOT NULL,
  opened_at_ms INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  holder TEXT,
  last_seq INTEGER NOT NULL DEFAULT 0,
  ended TEXT
) STRICT;
CREATE TABLE events (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  v INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
CREATE TABLE requests (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (run, id)
) STRICT;
CREATE TRIGGER requests_are_never_changed BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'requests are never changed'); END;
CREATE TRIGGER requests_are_never_removed BEFORE DELETE ON requests
BEGIN SELECT RAISE(ABORT, 'requests are never removed'); END;
INSERT INTO runs VALUES ('r-old', 'TICKET-1', '/repo', 1767225600000, 1, 'process 1', 3, NULL);
INSERT INTO events VALUES ('r-old', 1, 1767225600000, 'CoordinatorWoke', 1, '{"CoordinatorWoke":{"epoch":1}}');
INSERT INTO events VALUES ('r-old', 2, 1767225600001, 'Draining', 1, '"Draining"');
INSERT INTO events VALUES ('r-old', 3, 1767225600002, 'Resumed', 1, '"Resumed"');
INSERT INTO requests VALUES (1, 'r-old', 'q-1', 1767225600001, '"Stop"');
