-- Views for Grafana and for people, in a schema of their own: the role dovetail_grafana reads these
-- and nothing else. Times are timestamps here, null where they have not come yet.

CREATE SCHEMA dashboard;

-- The job's message as JSON; null where it is none.
CREATE FUNCTION parse_spec(spec text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN spec::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

CREATE FUNCTION at_ms(ms bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT to_timestamp(nullif(ms, 0) / 1000.0) $$;

CREATE VIEW dashboard.jobs AS
SELECT j.id AS job_id, j.tenant, j.name, j.state, j.message,
       at_ms(j.created_ms) AS created_at, at_ms(j.finished_ms) AS finished_at,
       count(t.number) FILTER (WHERE t.number > 0) AS trials,
       count(*) FILTER (WHERE t.number > 0 AND t.state IN ('running', 'held')) AS trials_running,
       count(*) FILTER (WHERE t.number > 0 AND t.state = 'succeeded') AS trials_succeeded,
       count(*) FILTER (WHERE t.number > 0 AND t.state = 'infeasible') AS trials_infeasible,
       count(*) FILTER (WHERE t.number > 0 AND t.state = 'abandoned') AS trials_abandoned,
       count(*) FILTER (WHERE t.number > 0 AND t.state = 'stopped') AS trials_stopped,
       coalesce(sum(t.tool_seconds), 0) AS tool_seconds
FROM jobs j LEFT JOIN trials t ON t.job_id = j.id
GROUP BY j.id;

-- One row per metric of a design.
CREATE VIEW dashboard.metrics AS
SELECT m.job_id, m.trial, m.design, d.path, d.feasible, t.reference, t.state AS trial_state,
       at_ms(t.finished_ms) AS finished_at, m.metric, m.value, m.unit, m.source, m.standard_error
FROM measurements m
JOIN designs d ON d.job_id = m.job_id AND d.trial = m.trial AND d.index = m.design
JOIN trials t ON t.job_id = m.job_id AND t.number = m.trial;

-- One row per design, its main metrics as columns.
CREATE VIEW dashboard.designs AS
SELECT d.job_id, d.trial, d.index AS design, d.path, d.feasible, t.reference,
       t.state AS trial_state, at_ms(t.finished_ms) AS finished_at,
       max(m.value) FILTER (WHERE m.metric = 'accuracy') AS accuracy,
       max(m.value) FILTER (WHERE m.metric = 'lut') AS lut,
       max(m.value) FILTER (WHERE m.metric = 'dsp') AS dsp,
       max(m.value) FILTER (WHERE m.metric = 'ff') AS ff,
       max(m.value) FILTER (WHERE m.metric = 'bram') AS bram,
       max(m.value) FILTER (WHERE m.metric = 'latency_cycles') AS latency_cycles,
       max(m.value) FILTER (WHERE m.metric = 'initiation_interval_cycles')
           AS initiation_interval_cycles,
       max(m.value) FILTER (WHERE m.metric = 'latency_ns_at_target') AS latency_ns_at_target
FROM designs d
JOIN trials t ON t.job_id = d.job_id AND t.number = d.trial
LEFT JOIN measurements m ON m.job_id = d.job_id AND m.trial = d.trial AND m.design = d.index
GROUP BY d.job_id, d.trial, d.index, t.job_id, t.number;

CREATE VIEW dashboard.job_objectives AS
SELECT j.id AS job_id, o.ordinality AS position, o.objective ->> 'metric' AS metric,
       CASE WHEN o.objective ->> 'goal' ILIKE '%MAXIMIZE' THEN 'maximize' ELSE 'minimize' END
           AS goal
FROM jobs j,
     LATERAL jsonb_array_elements(
         CASE jsonb_typeof(parse_spec(j.spec_json) -> 'objectives')
              WHEN 'array' THEN parse_spec(j.spec_json) -> 'objectives' ELSE '[]' END)
         WITH ORDINALITY AS o(objective, ordinality);

-- One row per trial; `objectives` holds the values of its first feasible design, else its first.
CREATE VIEW dashboard.trials AS
SELECT t.job_id, t.number AS trial, t.reference, t.state, t.message, t.point,
       at_ms(t.created_ms) AS created_at, at_ms(t.finished_ms) AS finished_at,
       CASE WHEN t.finished_ms > 0 THEN (t.finished_ms - t.created_ms) / 1000.0 END AS wall_seconds,
       t.tool_seconds, best.design, best.feasible,
       (SELECT jsonb_object_agg(m.metric, m.value)
        FROM dashboard.job_objectives o
        JOIN measurements m ON m.job_id = t.job_id AND m.trial = t.number
             AND m.design = best.design AND m.metric = o.metric
        WHERE o.job_id = t.job_id) AS objectives
FROM trials t
LEFT JOIN LATERAL (SELECT d.index AS design, d.feasible FROM designs d
                   WHERE d.job_id = t.job_id AND d.trial = t.number
                   ORDER BY d.feasible DESC, d.index LIMIT 1) best ON true;

-- Of every objective: the best value among the feasible designs so far, over time.
CREATE VIEW dashboard.best_so_far AS
SELECT o.job_id, o.metric, o.goal, t.number AS trial, m.design,
       at_ms(t.finished_ms) AS finished_at, m.value,
       CASE o.goal WHEN 'maximize' THEN max(m.value) OVER run ELSE min(m.value) OVER run END
           AS best
FROM dashboard.job_objectives o
JOIN trials t ON t.job_id = o.job_id AND t.number > 0 AND t.finished_ms > 0
JOIN designs d ON d.job_id = t.job_id AND d.trial = t.number AND d.feasible
JOIN measurements m ON m.job_id = d.job_id AND m.trial = d.trial AND m.design = d.index
     AND m.metric = o.metric
WINDOW run AS (PARTITION BY o.job_id, o.metric ORDER BY t.finished_ms, t.number, m.design);

-- One row per task run: how long it waited, ran, and whether the cache answered.
CREATE VIEW dashboard.task_runs AS
SELECT r.job_id, r.trial, r.task_run, r.node, a.task, r.path, r.iteration, r.done, r.cached,
       a.outcome, a.tool_seconds, a.attempt_count,
       at_ms(r.created_ms) AS created_at, at_ms(p.started_ms) AS started_at,
       at_ms(r.finished_ms) AS finished_at,
       CASE WHEN NOT r.cached AND p.started_ms > 0
            THEN greatest(p.started_ms - r.created_ms, 0) / 1000.0 END AS wait_seconds,
       CASE WHEN r.finished_ms > 0 THEN (r.finished_ms - r.created_ms) / 1000.0 END AS wall_seconds
FROM task_runs r
LEFT JOIN actions a ON a.key = r.action_key
LEFT JOIN attempts p ON p.action_key = r.action_key AND p.attempt = a.attempt_count;

CREATE VIEW dashboard.stage_times AS
SELECT job_id, node, task, count(*) AS task_runs,
       count(*) FILTER (WHERE cached) AS cached_task_runs,
       count(*) FILTER (WHERE done) AS done_task_runs,
       avg(tool_seconds) FILTER (WHERE done AND NOT cached) AS mean_tool_seconds,
       sum(tool_seconds) FILTER (WHERE done AND NOT cached) AS tool_seconds,
       avg(wait_seconds) AS mean_wait_seconds
FROM dashboard.task_runs
GROUP BY job_id, node, task;

CREATE VIEW dashboard.attempts AS
SELECT p.action_key, p.attempt, a.task, p.worker, p.state, p.outcome, p.message,
       at_ms(p.started_ms) AS started_at, at_ms(p.finished_ms) AS finished_at
FROM attempts p LEFT JOIN actions a ON a.key = p.action_key;

CREATE VIEW dashboard.workers AS
SELECT id AS worker, tenant, host, capabilities, slots, state, version,
       at_ms(registered_ms) AS registered_at, at_ms(last_seen_ms) AS last_seen_at
FROM workers;

-- Roles belong to the whole cluster: it may exist already, or be the administrator's to make.
-- It cannot log in until the administrator gives it a password.
DO $$
BEGIN
    CREATE ROLE dovetail_grafana NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
END $$;
DO $$
BEGIN
    GRANT USAGE ON SCHEMA dashboard TO dovetail_grafana;
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO dovetail_grafana;
EXCEPTION WHEN undefined_object THEN
    RAISE NOTICE 'there is no role dovetail_grafana: dashboards cannot read until it is made';
END $$;
