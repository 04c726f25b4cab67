-- What the coordinator keeps (services/coordinator/store/store.h). Times are milliseconds since the
-- Unix epoch, 0 where they have not come yet. There are no foreign keys: the one writer is the
-- leader, which writes whole records by key, in any order within a batch. Tables that are rewritten
-- by key leave room in their pages, so that an update stays in its page (HOT).

CREATE TABLE leader (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    bigint NOT NULL,
    address  text   NOT NULL,
    since_ms bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO leader (epoch, address, since_ms) VALUES (0, '', 0);

CREATE TABLE jobs (
    id          bigint PRIMARY KEY,
    tenant      text   NOT NULL,
    name        text   NOT NULL,
    request_id  text   NOT NULL,
    spec_json   text   NOT NULL,
    state       text   NOT NULL,
    message     text   NOT NULL,
    summary     jsonb,
    created_ms  bigint NOT NULL,
    finished_ms bigint NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX jobs_request ON jobs (tenant, request_id) WHERE request_id <> '';
CREATE INDEX jobs_unfinished ON jobs (id) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');

CREATE TABLE trials (
    job_id               bigint NOT NULL,
    number               integer NOT NULL,
    reference            text   NOT NULL,
    state                text   NOT NULL,
    point                jsonb  NOT NULL,
    realised_cfg         jsonb,
    suggested_from_event bigint NOT NULL,
    suggestion_info      jsonb,
    message              text   NOT NULL,
    tool_seconds         double precision NOT NULL,
    created_ms           bigint NOT NULL,
    finished_ms          bigint NOT NULL,
    finished_event       bigint NOT NULL,
    PRIMARY KEY (job_id, number)
) WITH (fillfactor = 70);

CREATE TABLE designs (
    job_id    bigint  NOT NULL,
    trial     integer NOT NULL,
    index     integer NOT NULL,
    path      text    NOT NULL,
    feasible  boolean NOT NULL,
    log       jsonb,
    artifacts jsonb   NOT NULL,  -- "task.port" -> digest
    PRIMARY KEY (job_id, trial, index)
);

-- One row per metric of a design, so that plain SQL can plot any of them.
CREATE TABLE measurements (
    job_id         bigint  NOT NULL,
    trial          integer NOT NULL,
    design         integer NOT NULL,
    metric         text    NOT NULL,
    value          double precision NOT NULL,
    unit           text    NOT NULL,
    source         text    NOT NULL,
    standard_error double precision NOT NULL,
    PRIMARY KEY (job_id, trial, design, metric)
);

CREATE TABLE task_runs (
    job_id         bigint  NOT NULL,
    trial          integer NOT NULL,
    task_run       integer NOT NULL,
    node           text    NOT NULL,
    path           text    NOT NULL,
    iteration      integer NOT NULL,
    action_key     text    NOT NULL,
    done           boolean NOT NULL,
    cached         boolean NOT NULL,
    created_ms     bigint  NOT NULL,
    finished_ms    bigint  NOT NULL,
    finished_event bigint  NOT NULL,
    PRIMARY KEY (job_id, trial, task_run)
) WITH (fillfactor = 70);

CREATE TABLE actions (
    key            text    PRIMARY KEY,
    tenant         text    NOT NULL,
    task           text    NOT NULL,
    task_version   integer NOT NULL,
    parameters     jsonb   NOT NULL,
    inputs         jsonb   NOT NULL,  -- port -> digest
    seed           text    NOT NULL,  -- 64 bits without a sign, which bigint cannot hold
    tools          jsonb   NOT NULL,  -- tool -> version
    cacheable      boolean NOT NULL,
    capabilities   text[]  NOT NULL,
    cpu_slots      integer NOT NULL,
    finished       boolean NOT NULL,
    attempt_count  integer NOT NULL,
    outcome        text,              -- this and the following: null until it has finished
    message        text,
    measurement    jsonb,
    outputs        jsonb,             -- port -> digest
    log_digest     text,
    tool_seconds   double precision,
    peak_rss_bytes bigint,
    created_ms     bigint  NOT NULL,
    finished_ms    bigint  NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX actions_unfinished ON actions (task) WHERE NOT finished;

CREATE TABLE attempts (
    action_key    text    NOT NULL,
    attempt       integer NOT NULL,
    worker        text    NOT NULL,
    state         text    NOT NULL,
    result_digest text    NOT NULL,
    outcome       text    NOT NULL,
    message       text    NOT NULL,
    started_ms    bigint  NOT NULL,
    finished_ms   bigint  NOT NULL,
    PRIMARY KEY (action_key, attempt)
) WITH (fillfactor = 70);

CREATE TABLE events (
    job_id     bigint NOT NULL,
    sequence   bigint NOT NULL,
    type       text   NOT NULL,
    payload    jsonb,
    created_ms bigint NOT NULL,
    PRIMARY KEY (job_id, sequence)
);

CREATE TABLE workers (
    id            text    PRIMARY KEY,
    tenant        text    NOT NULL,
    host          text    NOT NULL,
    capabilities  text[]  NOT NULL,
    slots         integer NOT NULL,
    state         text    NOT NULL,
    version       text    NOT NULL,
    registered_ms bigint  NOT NULL,
    last_seen_ms  bigint  NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE search_states (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          bigint NOT NULL,
    after_event     bigint NOT NULL,
    installed_event bigint NOT NULL,
    state           jsonb
);
CREATE INDEX search_states_order ON search_states (job_id, installed_event, after_event, id);
