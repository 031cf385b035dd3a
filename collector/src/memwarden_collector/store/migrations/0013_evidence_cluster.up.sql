-- Of which cluster's HeapSnapshot it is, by the uid of that cluster's namespace kube-system; "" where nobody has said so.
alter table evidence add column cluster text not null default '';
