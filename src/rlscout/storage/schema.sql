-- One run's database: one game. The header's user_version is the version of this schema.
-- Times are seconds since the epoch. A column `key` makes a resent write harmless.

create table run (key text primary key, value text not null) without rowid;

create table models (
    id integer primary key,
    evaluation text check (evaluation in ('+', '-')),  -- '+' promoted, '-' not, null pending
    parent integer not null references models (id),
    step integer not null,  -- of training
    created real not null,
    key text not null unique,
    info text not null  -- JSON
);
-- Play without a network: where every run begins, so it counts as promoted.
insert into models values (0, '+', 0, 0, strftime('%s', 'now'), 'no network', '{}');

-- Apart from models: large, and removed by the clean-up.
create table weights (model integer primary key references models (id), data blob not null);

create table training (
    id integer primary key check (id = 0),  -- one row at most
    step integer not null,
    last_sample_id integer not null,
    saved real not null,
    data blob not null
);

-- A row stays when its samples are cleaned up, so that a late resend of the game is still known.
create table games (
    id integer primary key,
    key text not null unique,
    produced_by_model integer not null references models (id),
    first_sample integer not null,  -- ids of the samples: first_sample .. first_sample + samples - 1
    samples integer not null,
    created real not null
);

create index games_by_sample on games (first_sample);

create table samples (
    id integer primary key,  -- without gaps, in the order of the commits
    game integer not null references games (id),
    produced_by_model integer not null references models (id),
    ply integer not null,
    move integer not null,  -- the square played
    outcome integer not null,  -- exact final score, side to move
    value real not null,  -- root value of the search, side to move
    position blob not null,  -- uint64[2 * words], little-endian: own stones, opponent's stones
    visits blob not null  -- uint16[squares], little-endian
);

create table duels (
    id integer primary key,
    candidate integer not null references models (id),
    baseline integer not null references models (id),
    options text not null,  -- JSON with sorted keys
    wins integer not null default 0,  -- of the candidate, as in duel_games
    draws integer not null default 0,
    losses integer not null default 0,
    llr real,
    elo real,
    elo_low real,
    elo_high real,
    verdict text,  -- null while running
    created real not null,
    unique (candidate, baseline, options)
);

create table duel_games (
    duel integer not null references duels (id),
    number integer not null,  -- 2i and 2i + 1: one opening, colours swapped
    candidate_first integer not null,
    score integer not null,  -- for the candidate
    moves text not null,  -- JSON array of squares, -1 for a pass
    primary key (duel, number)
) without rowid;

create table claims (
    id integer primary key,
    scoring text not null,
    position text not null,
    lower integer not null,
    upper integer not null,
    nodes integer not null,
    evaluations integer not null,
    seconds real not null,
    options text not null,  -- JSON with sorted keys
    created real not null,
    unique (position, scoring, lower, upper, nodes, evaluations, seconds, options)
);

create table certificates (
    path text primary key,
    claim integer not null references claims (id),
    grade text not null check (grade in ('checked', 're-runnable'))
) without rowid;

create table metrics (
    name text not null,
    time real not null,
    source text not null,
    value real,  -- null: not a number
    primary key (name, time, source)
) without rowid;
create index metrics_by_time on metrics (time);
