-- Which silences of Alertmanager hold an alert back, as the controller read them: [{id, created_by, comment, ends_at}].
alter table alert add column silences jsonb not null default '[]';
