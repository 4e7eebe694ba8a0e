"""What `bench/run` is made of: machine (processes, cores, memory), backend (stub and load), peers and field (the proxies),
rows (what is measured, and the bars), measure (one campaign), report (what is printed)."""
