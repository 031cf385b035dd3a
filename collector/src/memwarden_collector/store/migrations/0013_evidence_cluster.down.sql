alter table evidence drop column cluster;
