-- The role KEDA counts work with: reads what its query names, and nothing else. Run once, as the
-- owner of the database, after the coordinator has made its tables; then give it a password:
--   psql -d dovetail -f deploy/kubernetes/keda/role.sql
--   psql -d dovetail -c "\password dovetail_keda"
CREATE ROLE dovetail_keda LOGIN;
GRANT USAGE ON SCHEMA dovetail TO dovetail_keda;
GRANT SELECT (id, state) ON dovetail.jobs TO dovetail_keda;
GRANT SELECT (job_id, number, state) ON dovetail.trials TO dovetail_keda;
GRANT SELECT (job_id, trial, action_key, done) ON dovetail.task_runs TO dovetail_keda;
GRANT SELECT (key, cpu_slots, capabilities, finished) ON dovetail.actions TO dovetail_keda;
