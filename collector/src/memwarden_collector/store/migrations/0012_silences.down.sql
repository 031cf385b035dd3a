alter table alert drop column silences;
