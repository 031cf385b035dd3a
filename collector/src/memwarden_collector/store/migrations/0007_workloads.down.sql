drop table leak_change, leak, workload_verdict, workload_last, workload_change, workload_scope, workload, pod_owner;
